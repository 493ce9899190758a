"""Records kept outside of the log and their end (Art. 8(2)): legal holds, disposal, certificates; the same at every node."""
