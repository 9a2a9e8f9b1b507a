"""Purging: plans what may go, has a second person agree, and carries it out, in steps that survive a crash."""
