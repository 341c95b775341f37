"""The modules that an evaluation asks: the responder, the judge of degrees, the judge of coherence."""
