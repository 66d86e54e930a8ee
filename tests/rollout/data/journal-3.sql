PRAGMA application_id = 1986228075;
PRAGMA user_version = 3;
BEGIN TRANSACTION;
CREATE TABLE call (
    call INTEGER PRIMARY KEY, step INTEGER, operation TEXT NOT NULL, region_id TEXT,
    vpn_connection_id TEXT, attempt INTEGER, client_token TEXT, sent_at REAL NOT NULL,
    seconds REAL, outcome TEXT, code TEXT, http_status INTEGER, request_id TEXT
);
INSERT INTO "call" VALUES(1,0,'CreateVcoRouteEntry','cn-hangzhou','vco-0',0,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',1796000000.0,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE lease (
    owner TEXT NOT NULL, process INTEGER NOT NULL, host TEXT NOT NULL,
    since REAL NOT NULL, seen REAL NOT NULL
);
INSERT INTO "lease" VALUES('0123456789abcdef@',7,'laptop',1796000000.0,1796000000.0);
CREATE TABLE live (
    region_id TEXT, vpn_connection_id TEXT, route_dest TEXT, next_hop TEXT, weight INTEGER
);
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
INSERT INTO "meta" VALUES('created_at','1796061690.176318');
INSERT INTO "meta" VALUES('fingerprint','d4cd9699fd29f803f8db8f723a97d19872054c669fe7d5ee15a5e17ad4f751ce');
INSERT INTO "meta" VALUES('message',NULL);
INSERT INTO "meta" VALUES('options','{"waves": [], "stop_after": null, "rate_share": 1.0, "deadline": null, "allow_gap": false}');
INSERT INTO "meta" VALUES('rollout_id','981ba6287f8541089f2482106cd64c1c');
INSERT INTO "meta" VALUES('seal','ec758cafe56dd1de9f4d9b6441a370b887d72949c4a1ffb4dbabc9d7aa8e4530');
INSERT INTO "meta" VALUES('simulated','yes');
INSERT INTO "meta" VALUES('state','running');
CREATE TABLE step (
    step INTEGER PRIMARY KEY,
    action TEXT NOT NULL CHECK (action IN ('create', 'modify', 'delete', 'keep', 'blocked')),
    state TEXT NOT NULL CHECK (state IN ('pending', 'sent', 'unknown', 'accepted', 'settled', 'done', 'failed', 'skipped', 'blocked')), scope TEXT,
    region_id TEXT, vpn_connection_id TEXT, route_dest TEXT, next_hop TEXT,
    old_weight INTEGER, weight INTEGER, description TEXT, message TEXT,
    row INTEGER, source TEXT, line INTEGER,
    attempt INTEGER NOT NULL DEFAULT 0 CHECK (typeof(attempt) = 'integer' AND attempt >= 0),
    misses INTEGER NOT NULL DEFAULT 0 CHECK (typeof(misses) = 'integer' AND misses >= 0),
    attempts INTEGER NOT NULL DEFAULT 0, code TEXT, request_id TEXT,
    sent_at REAL, accepted_at REAL, settled_at REAL, ended_at REAL
);
INSERT INTO "step" VALUES(0,'create','sent','cn-hangzhou','cn-hangzhou','vco-0','10.0.0.0/24','vco-0',NULL,0,NULL,NULL,0,NULL,NULL,0,0,1,NULL,NULL,1796000000.0,NULL,NULL,NULL);
INSERT INTO "step" VALUES(1,'create','pending','cn-hangzhou','cn-hangzhou','vco-0','10.0.1.0/24','vco-0',NULL,100,NULL,NULL,1,NULL,NULL,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "step" VALUES(2,'create','pending','cn-hangzhou','cn-hangzhou','vco-0','10.0.2.0/24','vco-0',NULL,0,NULL,NULL,2,NULL,NULL,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL);
COMMIT;
