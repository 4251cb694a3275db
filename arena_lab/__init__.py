"""The engine of the lab: it finds sections, checks answers, and starts what a learner works in."""
