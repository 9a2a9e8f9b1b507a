"""Letters: made-up ones as PDF and CDA to try the services with, and a reader of CDA headers.

Everybody and everything in the sample letters is made up; patients have NHS Numbers of the 999 test range.
"""
