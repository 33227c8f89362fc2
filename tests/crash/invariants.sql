-- What must hold after any kill. Read in the directory of a trial: ledger/record, each line an effect, "TOOL KEY RUN/CALL/VALUE"
-- (tests/crash/effects.c); acked, what was acknowledged to a client; snap/, record and store as the kill left them; payments, how many
-- the demo's ledger has; *.json, what Reeve tells at the end. A row is a fault; the last one is "checked": all of it was asked.
.bail on
.separator ' '
CREATE TABLE record(tool, key, id);
CREATE TABLE before(tool, key, id);
CREATE TABLE committed(run, tool, n);
CREATE TABLE acked(what, id, kind, run, step);
.import ledger/record record
.import snap/record before
.import snap/committed committed
.import acked acked
CREATE VIEW effects AS SELECT tool, key, id, CAST(id AS INTEGER) run,
    substr(id, instr(id, '/') + instr(substr(id, instr(id, '/') + 1), '/') + 1) value FROM record;
CREATE TABLE runs AS SELECT value ->> 'run' run, value ->> 'state' state, value ->> 'reason' reason, value ->> 'workflow' workflow
    FROM json_each(readfile('runs.json'), '$.runs');
CREATE TABLE approvals AS SELECT value ->> 'approval' approval, value ->> 'state' state
    FROM json_each(readfile('approvals.json'), '$.approvals');
CREATE TABLE results AS SELECT value run, CAST(readfile('run' || value || '.json') ->> '$.result.value' AS TEXT) value FROM generate_series(1, 2);
CREATE TABLE steps AS SELECT s.value run, substr(j.value ->> 'key', 9) tool, j.value ->> 'tries' tries
    FROM generate_series(1, 2) s, json_each(readfile('steps' || s.value || '.json'), '$.steps') j WHERE j.value ->> 'key' LIKE 'effects/%';
CREATE TABLE wanted(tool, n);
INSERT INTO wanted VALUES ('pay', 4), ('wire', 1), ('note', 2), ('look', 1);

-- INV-06: what must not be repeated is there once.
SELECT 'doubled: ' || tool || ' ' || id FROM record WHERE tool IN ('pay', 'wire') GROUP BY tool, id HAVING count(*) > 1;
-- The same effect has the same key, whatever died.
SELECT 'doubled: two keys for ' || id FROM record GROUP BY id HAVING count(DISTINCT key) > 1;
-- A value that was recorded is not drawn anew.
SELECT 'lost: the value of run ' || run FROM effects GROUP BY run HAVING count(DISTINCT value) > 1;
-- INV-04: what left has an intent.
SELECT 'doubled: left without an intent: run ' || run || ' ' || tool FROM effects e GROUP BY run, tool
    HAVING count(*) > (SELECT coalesce(sum(tries), 0) FROM steps s WHERE s.run = e.run AND s.tool = e.tool);
-- INV-05: what was committed before the kill was not asked for again.
SELECT 'doubled: asked for again after its outcome: run ' || c.run || ' ' || c.tool FROM committed c
    WHERE (SELECT count(*) FROM record r WHERE r.tool = c.tool AND CAST(r.id AS INTEGER) = CAST(c.run AS INTEGER))
        - (SELECT count(*) FROM before b WHERE b.tool = c.tool AND CAST(b.id AS INTEGER) = CAST(c.run AS INTEGER))
        > (SELECT count(*) FROM steps s WHERE s.tool = c.tool AND s.run = CAST(c.run AS INTEGER)) - CAST(c.n AS INTEGER);
-- An event that was sent again starts nothing anew; one that was acknowledged has its run; every run does what it is for.
SELECT CASE WHEN n > 3 THEN 'doubled: ' ELSE 'lost: ' END || n || ' runs of 3 events' FROM (SELECT count(*) n FROM runs) WHERE n <> 3;
SELECT 'lost: run ' || run || ' ' || state || ': ' || reason FROM runs WHERE state IN ('failed', 'dead', 'cancelled');
SELECT 'lost: acknowledged event, run ' || id FROM acked WHERE what = 'event' AND CAST(id AS INTEGER) NOT IN (SELECT run FROM runs);
-- What a person was told to have been taken has been used, and was asked once.
SELECT 'lost: approval ' || id || ' (' || kind || ') of run ' || run || ' step ' || step || ' was acknowledged and is ' || coalesce(state, 'gone')
    FROM acked LEFT JOIN approvals ON approval = CAST(id AS INTEGER) WHERE what = 'approval' AND state IS NOT 'used';
SELECT 'lost: asked again after an acknowledged yes: run ' || run || ' step ' || step FROM acked
    WHERE what = 'approval' AND kind <> 'unknown-effect' GROUP BY run, step HAVING count(*) > 1;
-- A run that succeeded has done all of its work, with the value that its result names.
SELECT 'lost: run ' || run || ' succeeded with ' || n || ' effects of ' || tool FROM (
    SELECT r.run run, w.tool tool, w.n want, (SELECT count(DISTINCT id) FROM effects e WHERE e.run = r.run AND e.tool = w.tool AND e.value = s.value) n
    FROM runs r JOIN results s USING (run), wanted w WHERE r.state = 'succeeded' AND r.workflow = 'steps') WHERE n <> want;
SELECT 'doubled: ' || n || ' payments of one invoice' FROM (SELECT CAST(readfile('payments') AS INTEGER) n), runs
    WHERE workflow <> 'steps' AND state = 'succeeded' AND n <> 1;
SELECT 'checked';
