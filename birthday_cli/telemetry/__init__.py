"""What a worker tells its surroundings: logs, metrics, health over HTTP, systemd."""
