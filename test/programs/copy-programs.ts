import { expect } from 'vitest'
import { type Programs, TREES } from './program.js'

/** What programs that copy and move whole trees do. */
export const COPY_PROGRAMS = {
  'rsync -a copies once, and has nothing to do the second time': {
    needs: ['rsync'],
    async run(t) {
      const script = `${TREES}
        elsewhere; tree "$outside/t"
        rsync -a "$outside/t/" copy
        rsync -a --itemize-changes "$outside/t/" copy`
      expect(await t.sh(script)).toBe('')
      return t.sh('rsync -a copy/ again; rsync -a --itemize-changes --checksum copy/ again')
    },
    goOn: t => t.sh('rsync -a --itemize-changes copy/ again; rsync -a --itemize-changes again/ copy'),
  },
  'rsync -a of files and folders alone has nothing to do the second time': {
    needs: ['rsync'],
    async run(t) {
      const script = `${TREES}
        elsewhere; plain_tree "$outside/t"
        rsync -a "$outside/t/" copy
        rsync -a --itemize-changes "$outside/t/" copy`
      const said = await t.sh(script)
      expect(said).toBe('')
      return said
    },
  },
  'rsync --inplace and --delete bring a copy up to date': {
    needs: ['rsync'],
    run: t =>
      t.sh(`${TREES}
        elsewhere; plain_tree "$outside/t"
        rsync -a "$outside/t/" copy
        printf changed | dd of="$outside/t/sub/deep/large" bs=1 seek=1500000 conv=notrunc status=none
        seq 1 100 >> "$outside/t/numbers"; rm "$outside/t/run"; rm -r "$outside/t/with space"; echo new > "$outside/t/new"
        dates "$outside/t"
        rsync -a --inplace --no-whole-file --delete --itemize-changes --checksum "$outside/t/" copy | sort
        rsync -a --delete --itemize-changes --checksum "$outside/t/" copy`),
  },
  'cp -a keeps links, modes, owners and times': {
    run: t =>
      t.sh(`${TREES}
        elsewhere; tree "$outside/t"
        mkfifo -m 640 "$outside/t/pipe"; touch -d @1000000000 "$outside/t/pipe" "$outside/t"
        cp -a "$outside/t" copy
        cp -a copy again
        rm -r copy`),
  },
  'cp -p keeps modes, owners and times': {
    run: t =>
      t.sh(`${TREES}
        elsewhere; plain_tree "$outside/t"
        cp -p "$outside/t/numbers" "$outside/t/sub/one" "$outside/t/sub/nothing" .
        cp -rp "$outside/t" copy
        cp -u "$outside/t/numbers" numbers; cp --backup=numbered -p "$outside/t/run" numbers; ls`),
  },
  'tar packs and unpacks with modes, owners, times and links': {
    run: t =>
      t.sh(`${TREES}
        mkdir own; tree own/t
        tar -C own -cf own/t.tar t
        mkdir unpacked; tar -C unpacked -xpf own/t.tar
        tar -C unpacked -df own/t.tar
        mkdir piped; tar -C own -c t | tar -C piped -xp
        echo more > piped/t/more; tar -C piped -rf own/t.tar t/more; tar -tf own/t.tar | sort`),
  },
  'tar packs and unpacks files and folders alone': {
    run: t =>
      t.sh(`${TREES}
        mkdir own; plain_tree own/t
        tar -C own -czf own/t.tgz t
        mkdir unpacked; tar -C unpacked -xpf own/t.tgz
        mkdir piped; tar -C own -c t | tar -C piped -xp; tar -tzf own/t.tgz | sort`),
  },
  'python copies and moves trees': {
    run: t =>
      t.python(
        `
import shutil, subprocess, tempfile
outside = tempfile.mkdtemp(prefix="mount-bucket-test-")
try:
  subprocess.run(["bash", "-ec", sys.argv[1], "bash", outside + "/t"], check=True)
  shutil.copytree(outside + "/t", "tree", symlinks=True)
  shutil.copytree("tree", "again", symlinks=True)
  shutil.copy2("tree/sub/one", "one")
  shutil.move("one", "tree/empty")
  shutil.move("again/sub", "moved")
  shutil.move(outside + "/t/with space", "from outside")
  shutil.rmtree("again")
finally: shutil.rmtree(outside)`,
        `${TREES}\ntree "$1"`,
      ),
  },
  'mv moves folders, in the mount and into it': {
    run: t =>
      t.sh(`${TREES}
        elsewhere; tree "$outside/t"; plain_tree inside
        mv "$outside/t" .
        mv inside t/sub/moved; mv t/sub renamed; mv -T renamed/moved t/empty2; mkdir target; mv renamed t target
        touch a; mv -n a target/t/numbers || true; rm -f a; mv target/t/run target/t/link; find . | sort`),
  },
  'install sets mode and owner': {
    run: t =>
      t.sh(`
        echo program > made
        install -d -m 750 -o 12 -g 34 bin/deep
        install -m 4755 -o 1234 -g 5678 made bin/program
        touch -d @1000000000 made; install -p -m 640 made bin/kept
        echo newer > made; install -b -m 700 made bin/program; cat bin/program bin/program~`),
  },
  'touch -d sets times that stay': {
    run: t =>
      t.sh(`
        touch -d @1234567890.123456789 f; echo text > g; touch -m -d @1111111111.5 g
        mkdir d; touch -d @999999999 d; touch -r f r; touch -t 200102030405.06 s
        echo x >> s; touch -d '2003-04-05 06:07:08' s; stat -c '%n %.9Y' f g d r s`),
  },
  'find -delete, rm -r and rmdir -p leave nothing': {
    run: t =>
      t.sh(`${TREES}
        plain_tree a; plain_tree b; mkdir -p c/d/e
        find a -name 'n*' -type f -delete; find a | sort; find a -delete; rm -r b; rmdir -p c/d/e; ls -A`),
  },
} satisfies Programs
