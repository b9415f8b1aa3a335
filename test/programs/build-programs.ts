import { type Programs, TREES } from './program.js'

const GIT = `
export GIT_AUTHOR_NAME=nobody GIT_AUTHOR_EMAIL=nobody@example.org GIT_COMMITTER_NAME=nobody GIT_CONFIG_NOSYSTEM=1
export GIT_COMMITTER_EMAIL=nobody@example.org GIT_AUTHOR_DATE='@1000000000 +0000' GIT_COMMITTER_DATE='@1000000000 +0000'
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=init.defaultBranch GIT_CONFIG_VALUE_0=main
`

const MAKEFILE = `
CFLAGS = -O1
program: main.o util.o
	$(CC) -o $@ $^
%.o: %.c util.h
	$(CC) $(CFLAGS) -c -o $@ $<
clean:
	rm -f *.o program
`

/** What programs that keep and build sources do. */
export const BUILD_PROGRAMS = {
  'git commits, branches, merges, rebases, packs and clones': {
    needs: ['git'],
    run: t =>
      t.sh(`${GIT}${TREES}
        mkdir own; git init -q own/repo; plain_tree own/repo/t; cd own/repo; git config user.name somebody
        git add .; git commit -qm first; git checkout -q -b side; sed -i s/7/seven/ t/numbers; git commit -qam side
        git checkout -q main; echo x >> t/sub/one; git mv t/run t/ran; git commit -qam main; git merge -q side -m merged
        git checkout -q -b other HEAD~1; echo o > o; git add o; git commit -qm other; git rebase -q main
        git stash list; echo dirty >> o; git stash -q; git stash pop -q; git checkout -q o
        git tag v1; git gc -q --prune=now; git fsck --strict --no-progress; git status --porcelain
        cd ../..; git clone -q --no-hardlinks own/repo own/clone; git clone -q --bare own/repo own/bare.git
        cd own/clone; echo c > c; git add c; git commit -qm clone; git push -q ../bare.git HEAD:main; git fsck --strict
        cd ../repo; git pull -q ../bare.git main; git log --format='%H %s'; git status --porcelain; ls`),
    goOn: t =>
      t.sh(
        'cd own/repo; git status --porcelain; git fsck --strict; git -C ../clone status --porcelain; git log --format=%H',
      ),
  },
  'git keeps symbolic links': {
    needs: ['git'],
    run: t =>
      t.sh(`${GIT}${TREES}
        mkdir own; git init -q own/repo; tree own/repo/t; cd own/repo
        git add .; git commit -qm first; git gc -q; git fsck --strict; git rm -q t/link; git commit -qm second
        git checkout -q HEAD~1; git status --porcelain; git log --format=%H; readlink t/link t/dangling`),
  },
  'make builds what is out of date, and nothing else': {
    needs: ['make', 'gcc'],
    run: t =>
      t.sh(
        `
        printf '%s' "$1" > Makefile; mkdir own; mv Makefile own; cd own
        echo 'int twice(int n);' > util.h
        printf '#include "util.h"\\nint twice(int n) { return 2 * n; }\\n' > util.c
        printf '#include "util.h"\\nint main(void) { return twice(21) == 42 ? 0 : 1; }\\n' > main.c
        make; ./program; make; make -q
        touch -d '+2 seconds' util.c; make; sed -i 's/2 \\*/3 */' util.c; touch -d '+4 seconds' util.c
        make; ./program || echo "ended with $?"; touch -d '+6 seconds' util.h; make -j 2 | sort; make clean; make -s; ls`,
        MAKEFILE,
      ),
    goOn: t => t.sh('cd own; make -q || echo out of date; ./program || echo "ended with $?"'),
  },
  'npm installs a package with a program, a dependency and no network': {
    needs: ['npm'],
    run: t =>
      t.sh(`
        export HOME="$PWD/own/home" npm_config_cache=$PWD/own/cache npm_config_update_notifier=false npm_config_loglevel=error
        mkdir -p own/home own/package own/dep own/app
        cat > own/dep/package.json <<'END'
{ "name": "dep", "version": "1.0.0", "main": "index.js" }
END
        echo 'module.exports = "dep works"' > own/dep/index.js
        printf '#!/usr/bin/env node\\nconsole.log("tool works")\\n' > own/package/tool.js; chmod 755 own/package/tool.js
        for version in 1.2.3 2.0.0; do
          printf '{ "name": "tool", "version": "%s", "bin": { "tool": "tool.js" } }' $version > own/package/package.json
          tar -C own -czf own/tool-$version.tgz package
        done
        cd own/app; echo '{ "name": "app", "version": "0.0.0", "private": true }' > package.json
        npm install --offline --no-audit --no-fund --silent ../tool-1.2.3.tgz ../dep
        ./node_modules/.bin/tool; node -e 'console.log(require("dep"))'; readlink node_modules/.bin/tool
        npm install --offline --no-audit --no-fund --silent ../tool-2.0.0.tgz
        grep -o '"version": "[^"]*"' node_modules/tool/package.json; ls -A node_modules`),
    goOn: t => t.sh('cd own/app; ./node_modules/.bin/tool; cat package.json'),
  },
} satisfies Programs
