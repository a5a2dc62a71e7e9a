"""What pages share on the screen: the live drawing, the controls and the run of a session."""
