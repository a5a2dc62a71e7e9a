"""Train: experiments become stacks of lanes, and a loop that the caller drives."""
