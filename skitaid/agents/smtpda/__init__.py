"""The mail agent."""
