"""What the included models are built from: vision towers, connectors, language models."""
