"""What is told about the client's work: records of logging, and spans and measurements of OpenTelemetry."""
