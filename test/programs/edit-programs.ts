import type { Programs } from './program.js'

/** What programs that change files do. */
export const EDIT_PROGRAMS = {
  'editors save by a temporary file, by a backup and in place': {
    run: t =>
      t.python(`
def write(path, text, flags=os.O_CREAT | os.O_EXCL):
  fd = os.open(path, os.O_WRONLY | flags, 0o600)
  os.write(fd, text.encode()); os.fsync(fd); os.close(fd)
def read(path): return open(path).read()
for round in range(3):
  # A temporary file is renamed over.
  write("doc", "old", os.O_CREAT | os.O_TRUNC); os.chmod("doc", 0o640)
  status = os.stat("doc")
  write(".doc.swp", "swap"); write("doc.tmp", f"new {round}" * 5000)
  os.chmod("doc.tmp", status.st_mode); os.chown("doc.tmp", status.st_uid, status.st_gid)
  os.rename("doc.tmp", "doc"); os.unlink(".doc.swp")
  folder = os.open(".", os.O_RDONLY); os.fsync(folder); os.close(folder)
  assert read("doc") == f"new {round}" * 5000
  # The old one becomes the backup, and goes.
  os.rename("doc", "doc~"); write("doc", f"newer {round}"); assert read("doc~") == f"new {round}" * 5000; os.unlink("doc~")
  # The backup is a copy, and the file is written anew in place.
  write("doc.bak", read("doc"), os.O_CREAT | os.O_TRUNC); write("doc", "short", os.O_TRUNC); write("doc", "LO", 0)
  assert read("doc") == "LOort" and read("doc.bak") == f"newer {round}"
print(sorted(os.listdir(".")))`),
  },
  'vi saves with and without a backup': {
    needs: ['vi'],
    run: t =>
      t.sh(`
        seq 1 3000 > f; chmod 640 f
        vi -u NONE -N -es -c 'set nobackup writebackup backupcopy=no' -c '%s/1/one/' -c wq f
        vi -u NONE -N -es -c 'set backup backupcopy=no' -c '%s/2/two/' -c wq f
        vi -u NONE -N -es -c 'set backup backupcopy=yes' -c 'g/7/d' -c wq f
        ls -A; cat f`),
  },
  'sed -i, sort -o the same file, and patch': {
    needs: ['patch'],
    run: t =>
      t.sh(`
        seq 1 20000 > f; chmod 604 f; sed -i s/1/one/g f; sed -i.bak 's/2/two/' f
        sort -r -o f f; cp f g; sed s/3/three/ g > h; diff -u g h > p || true
        patch -s g p; cmp g h; patch -s -R g p; cmp f g; patch -s -b g p; rm p; ls; stat -c %a f f.bak`),
  },
  'dd conv=notrunc and truncate -s change in place': {
    run: t =>
      t.sh(`
        head -c 3000000 /dev/zero | tr '\\0' a > f
        printf hello | dd of=f bs=1 seek=1000000 conv=notrunc status=none
        seq 1 50000 | dd of=f bs=4096 seek=100 conv=notrunc,fsync status=none
        dd if=f of=f bs=65536 skip=2 seek=30 count=3 conv=notrunc status=none
        head -c 200000 /dev/zero | tr '\\0' b | dd of=f bs=10000 oflag=append conv=notrunc status=none
        truncate -s +1M f; truncate -s -500000 f; truncate -s 10M sparse; printf x >> sparse; truncate -s 0 g; truncate -r f g`),
  },
  'gzip and gunzip replace a file, with its time': {
    run: t =>
      t.sh(`
        seq 1 100000 > f; cp f g; touch -d @1000000000.5 f; chmod 640 f
        gzip f; test ! -e f; gzip -t f.gz; cp -p f.gz h.gz; gunzip h.gz; cmp h g; zcat f.gz | tail -n 1`),
  },
  'zip archives are added to and changed in place': {
    needs: ['zip', 'unzip'],
    run: t =>
      t.sh(`
        mkdir own d; seq 1 50000 > d/f; seq 1 10 > d/g; zip -qr own/a.zip d
        echo changed >> d/g; touch -d '+4 seconds' d/g; echo new > d/h; zip -qru own/a.zip d; zip -qd own/a.zip d/f; unzip -tqq own/a.zip
        unzip -q own/a.zip -d out; ls out/d; cmp out/d/g d/g
        unzip -l own/a.zip | tail -n 1 | awk '{ print $2 }'`),
  },
  'python adds to zip archives': {
    run: t =>
      t.python(`
import zipfile
data = bytes(range(256)) * 8192
entry = lambda name: zipfile.ZipInfo(name, (2001, 2, 3, 4, 5, 6))
with zipfile.ZipFile("a.zip", "w") as z:
  for i in range(4): z.writestr(entry(f"d/{i}"), data)
for i in range(3):
  with zipfile.ZipFile("a.zip", "a", zipfile.ZIP_DEFLATED) as z: z.writestr(entry(f"more/{i}"), data)
z = zipfile.ZipFile("a.zip")
assert z.testzip() is None
print(z.namelist())`),
  },
  'a film of 40 MiB gets its header when it is complete': {
    run: t =>
      t.python(`
import hashlib
piece = bytes((i * 7 + i // 256) % 256 for i in range(1 << 16))
with open("film", "wb") as f:
  f.write(bytes(4096))
  for i in range(640): f.write(i.to_bytes(4, "big") + piece[4:])
  end = f.tell()
  f.seek(0); f.write(b"HEADER" + end.to_bytes(8, "big"))
  f.seek(20_000_000); f.write(b"INDEX")
  f.seek(0, 2); f.write(b"TRAILER")
with open("film", "rb") as f:
  print(f.read(14), f.seek(20_000_000), f.read(5), f.seek(-7, 2), f.read())
with open("film", "r+b") as f:
  f.seek(6); f.write(b"patched")`),
  },
  'temporary files have names of their own, and go': {
    run: t =>
      t.sh(`
        f=$(mktemp ./tmp.XXXXXX); stat -c '%a %s' "$f"; d=$(mktemp -d ./tmp.XXXXXX); stat -c %a "$d"; rm -r "$f" "$d"
        /usr/bin/python3 -c '
import os, tempfile
with tempfile.NamedTemporaryFile(dir=".") as f:
  f.write(b"text" * 5000); f.flush(); print(len(open(f.name).read()))
with tempfile.TemporaryDirectory(dir=".") as d: open(os.path.join(d, "f"), "w").write("x")
with tempfile.SpooledTemporaryFile(max_size=10, dir=".") as f:
  f.write(b"rolls over to a file"); f.seek(6); print(f.read())
print(os.listdir("."))'`),
  },
  'tail -f follows a log that several processes append to': {
    async run(t) {
      const said = await t.sh(`
        : > log
        { for i in 1 2 3; do (for j in $(seq 20); do echo "$i $j" >> log; done) & done; wait; } & writers=$!
        tail -n +1 -f -s 0.05 --pid=$writers log
        sort -o log log`)
      return said.split('\n').sort().join('\n')
    },
  },
  'flock lets one process at a time through': {
    needs: ['flock'],
    run: t =>
      t.sh(`
        echo 0 > n; : > lock
        for i in 1 2 3 4; do
          (for j in 1 2 3 4 5 6 7 8 9 10; do flock lock sh -c 'read n < n; echo $((n + 1)) > n'; done) &
        done
        wait; cat n; exec 9< lock; flock -s 9; flock -n lock true || echo held; flock -n -s lock echo shared`),
  },
} satisfies Programs
