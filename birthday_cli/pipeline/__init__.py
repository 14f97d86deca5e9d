"""The use cases.

The way of a message, in order: plan, dispatch, deliver, recover, retain. `schedule` runs those of
them that cron runs, `work` is the process around deliver, which is made of what is in worker/. With
queue and replay an operator has a hand in it. `beating` is their sign of life, `units` what starts
them. Around the way, a folder for each thing that one can do: schema, partitions, users, looking,
doctor, rehearsal.
"""
