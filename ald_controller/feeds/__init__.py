"""What writes samples once a scan, before the rows are judged: each module fills one family of names."""
