"""What the repository demands of ITI-41 before it stores anything for good; values in, objections out."""
