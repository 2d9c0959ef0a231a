"""Who asks and what they may: logins, permissions, tokens, and what signs and guards them."""
