"""Pages from templates: Jinja2, Jinja2 with other signs, Chameleon."""
