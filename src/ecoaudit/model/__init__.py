"""The energy model, pure: integration, the three levels, carbon, cost, efficiency and findings."""
