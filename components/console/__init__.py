"""The command `refocus`: what it is called with, what each command does, what a person is told."""
