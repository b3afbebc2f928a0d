"""What a plan will probably grow, use and leave behind, by a model of one well-mixed chamber. Pure; no simulator.

The simulated reactor has its own code for the same physics, from the same tables: that both agree is a test.
"""
