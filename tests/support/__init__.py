"""What several tests stand on: a scripted engine, an open house on a live port, small clients."""
