"""From desired and live routes to a plan, and from a plan to done steps.

==============  ==================================================================
`steps`         a step, its action, its states and their transitions
`reconcile`     compares desired routes with live ones, for plans and for verification
`ordering`      make before break: which steps wait for which others
`plan`          all of that as one value that can be shown and filtered
`plan_io`       writes a plan to a file and reads it; `earlier` reads files of earlier versions
`plan_text`     a plan as text: its changes, a diff, a table, Markdown, HTML
`undo`          the plan that reverts what a rollout provably did
`rehearsal`     a rollout begun on a simulator is never resumed in the cloud
`provenance`    where a plan came from and who carries it out, for the change record
`journal`       the SQLite file that lets a rollout survive crashes
`database`      opens that file; `lock` keeps a second writer out
`messages`      messages to and from the scheduler, and to observers
`options`       options of a rollout, from its user and the settings
`connection`    one connection with all its steps and their states
`dependencies`  which steps may be sent
`queueing`      which connection is next, and when a read is worth a call
`handlers`      what an answer, a state, a listing mean
`scheduler`     pure: which call is next, and when
`forecast`      runs the scheduler against a small model of the cloud
`engine`        runs the scheduler, writes the journal, sends calls, notifies observers
`rollout`       the public class: start, control, wait, read
`signals`       how Ctrl-C and SIGTERM end a rollout
`fleet`         many accounts as one rollout; `fleet_directory` holds its files, `fleet_plan`
                plans an inventory of many accounts
==============  ==================================================================
"""
