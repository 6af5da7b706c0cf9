"""Who may do what in the console: logins, roles, sessions, and which hosts it answers for."""
