"""From desired and live routes to a plan, and from a plan to done steps.

==============  ==================================================================
`steps`         a step, its action, its states and the ways between them
`reconcile`     desired routes beside live ones: one comparison for plans and verdicts
`ordering`      make before break: which steps wait for which others
`plan`          all of that as one value that can be looked at and filtered
`plan_io`       a plan as a file and back; `earlier` reads what earlier versions wrote
`plan_text`     a plan to be read: what changes, as a diff, a table, Markdown, HTML
`undo`          the plan that takes back what a rollout provably did
`rehearsal`     what was begun on a simulator does not go on in the cloud
`provenance`    where a plan came from, and who carries it out, for the change record
`journal`       the SQLite file that makes a rollout survive anything
`database`      that file as SQLite sees it; `lock` keeps a second writer out
`messages`      what is said to the scheduler, by it, and to observers
`options`       how a rollout goes about it, from the settings
`connection`    one connection with all its steps: where they stand
`dependencies`  which steps may be sent
`queueing`      whose turn it is, and when a look is worth a call
`handlers`      what an answer, a state, a listing mean
`scheduler`     pure: which call next, at what time
`forecast`      the scheduler run against a small model of the cloud
`engine`        asks the scheduler, writes down, sends, and tells
`rollout`       what a user holds: start, steer, wait, look
`signals`       how Ctrl-C and SIGTERM end it
==============  ==================================================================
"""
