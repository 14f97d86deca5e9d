"""The use cases.

The way of a message, in order: plan, dispatch, deliver, recover, retain. `schedule` runs those of
them that cron runs. Around it: migrate, seed, people (the users), look (status and monitoring),
demo.
"""
