"""What databases say of themselves: sizes, rights, limits. Each dialect asks in its own words."""
