"""The proof test of the interlocks: what there is to trip, the inputs that trip it, and the live drive of both."""
