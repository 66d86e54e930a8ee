"""From desired and live routes to a plan, and from a plan to done steps.

============  =================================================================
`steps`       a step, its action, its states and the ways between them
`events`      what happens, told to observers; tallies of it
`order`       which steps wait for which others, so that nothing is uncovered in between
`circles`     what is given up where no order can do that
`compare`     rows beside live routes: what is to be done about each
`prune`       live routes that no row names: which of them may be deleted
`plan`        all of that as one value that can be looked at, filtered and saved
`planfile`    a plan as text, and back
`planview`    a plan as a unified diff
`selection`   some steps of a plan, and what they lose with the others
`undo`        the plan that takes back what a rollout provably did
`journal`     the SQLite file that makes a rollout survive anything
`scheduler`   pure: which call next, at what time
`forecast`    the scheduler run against a small model of the cloud
`executor`    drives scheduler, client, journal and clock
============  =================================================================
"""
