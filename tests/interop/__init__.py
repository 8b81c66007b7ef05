"""The SDK and its embedded server against other people's software: Socket.IO, Express and axios on Node."""
