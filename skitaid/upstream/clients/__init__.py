"""What is spoken with members: a call to bytes, and bytes to what its receiver hears."""
