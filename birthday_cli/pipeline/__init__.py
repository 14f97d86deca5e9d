"""The use cases.

The way of a message, in order: plan, dispatch, deliver, recover, retain. `schedule` runs those of
them that cron runs; `work` is the process around deliver, which has its own parts: gate (whether it
may take anything), in_hand (leases), results (what follows an attempt), tally, and watch (what its
surroundings are told). Around the way: migrate, seed, people (the users), look (status and
monitoring), queue and replay (what an operator does to the broker), audit, explain, demo.
"""
