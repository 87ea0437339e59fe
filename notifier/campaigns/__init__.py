"""What a police team wants to say, to whom and when, and the two people it takes."""
