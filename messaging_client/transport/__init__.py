"""The two ways to the server: REST (`http`) and Socket.IO (`socket`), and what both stand on: address, TLS, tokens."""
