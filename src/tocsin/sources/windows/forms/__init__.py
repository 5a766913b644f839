"""The forms in which tools write Windows events, each made the record that the `evtx` parser renders.

A module each: `nested` as the event's XML, `flat` one object with the data beside the head or in a member of its
own, `exported` by PowerShell, `evtxecmd`. `shipped` are documents of Beats and Elastic Agent, which are half an
ECS event already.
"""
