import type { Programs } from './program.js'

/** Two processes count up, reading and writing in one transaction; a third is killed in the middle of one. */
const COUNTERS = `
import signal, sqlite3, subprocess
mode = sys.argv[1]
def connect():
  db = sqlite3.connect("data.db", timeout=60, isolation_level=None)
  assert db.execute(f"pragma journal_mode={mode}").fetchone()[0] == mode
  return db
def count(db, who):
  for i in range(8):
    db.execute("begin immediate")
    n = db.execute("select n from counter").fetchone()[0]
    db.execute("update counter set n = ?", (n + 1,))
    db.execute("insert into log values (?, ?)", (n, who * 700))
    db.execute("commit" if i % 4 != 3 else "rollback")
def die(db):
  # So few pages stay in memory that the file itself is changed before the commit.
  db.execute("pragma cache_size = 1")
  db.execute("begin immediate")
  db.execute("update log set s = 'spoilt'")
  db.executemany("insert into log values (0, ?)", [("lost" * 500,)] * 40)
  os.kill(os.getpid(), signal.SIGKILL)
if len(sys.argv) > 2:
  db = connect()
  die(db) if sys.argv[2] == "die" else count(db, sys.argv[2])
  sys.exit()
db = connect()
db.execute("create table counter (n integer)")
db.execute("create table log (n integer, s text)")
db.execute("insert into counter values (0)")
db.close()
def start(who): return subprocess.Popen([sys.executable, "-c", os.environ["SCRIPT"], mode, who])
assert [child.wait() for child in [start("a"), start("b")]] == [0, 0]
`

const AFTER_THE_KILL = `
assert start("die").wait() == -signal.SIGKILL
assert os.path.getsize("data.db-journal") > 0
`

const TELL = `
db = connect()
print(db.execute("pragma integrity_check").fetchone()[0], db.execute("select n from counter").fetchone()[0])
print(db.execute("select count(*), sum(n), min(length(s)), max(length(s)) from log").fetchone())
db.execute("vacuum")
assert db.execute("pragma integrity_check").fetchone()[0] == "ok"
db.close()
db = sqlite3.connect("copy.db")
connect().backup(db)
print(db.execute("select count(*) from log").fetchone())
db.close()
for name in os.listdir("."):
  os.makedirs("own", exist_ok=True)
  if name != "own": os.rename(name, "own/" + name)
`

function counters(mode: string, script: string): (typeof DATABASE_PROGRAMS)[string] {
  return {
    run: t =>
      t.run(
        '/usr/bin/env',
        `SCRIPT=import os, sys\n${script}`,
        '/usr/bin/python3',
        '-c',
        `import os, sys\n${script}`,
        mode,
      ),
  }
}

/** What SQLite does with a journal of each kind. In memory, nothing can be rolled back after a kill. */
export const DATABASE_PROGRAMS: Programs = {
  'SQLite counts in two processes and survives a kill, journal deleted': counters(
    'delete',
    COUNTERS + AFTER_THE_KILL + TELL,
  ),
  'SQLite counts in two processes and survives a kill, journal truncated': counters(
    'truncate',
    COUNTERS + AFTER_THE_KILL + TELL,
  ),
  'SQLite counts in two processes and survives a kill, journal kept': counters(
    'persist',
    COUNTERS + AFTER_THE_KILL + TELL,
  ),
  'SQLite counts in two processes, journal in memory': counters('memory', COUNTERS + TELL),
}
