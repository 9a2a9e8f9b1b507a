"""What `portolan doctor` looks at: each file yields findings on one part of the set-up, and changes nothing."""
