# SPDX-License-Identifier: Apache-2.0
"""Runs sinter commands and says what each took: wall seconds, CPU seconds of all its processes, peak memory."""
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import threading
import time


class NotAvailable(Exception):
    """The command or option does not exist in this build or on this machine."""


class Failed(Exception):
    pass


def children(pid):
    """pid and everything that it started, as /proc tells."""
    found, at = [pid], 0
    while at < len(found):
        try:
            for task in pathlib.Path(f'/proc/{found[at]}/task').iterdir():
                found += [int(c) for c in (task / 'children').read_text().split()]
        except OSError:
            pass
        at += 1
    return found


def memory(pids):
    """Bytes of processes that map the same files: their own memory, and the file pages of the one that has most.

    From /proc/PID/status: asking how pages are shared would walk the page tables of what is measured.
    """
    own, mapped = 0, 0
    for pid in pids:
        try:
            status = pathlib.Path(f'/proc/{pid}/status').read_text()
        except OSError:
            continue
        fields = dict(line.split(':', 1) for line in status.splitlines() if line.startswith('Rss'))
        size = {name: int(text.split()[0]) * 1024 for name, text in fields.items()}
        own += size.get('RssAnon', 0) + size.get('RssShmem', 0)
        mapped = max(mapped, size.get('RssFile', 0))
    return own + mapped


class Watcher(threading.Thread):
    """Samples the memory of a tree of processes, and kills one of its workers once if asked to.

    kill_after: seconds from the appearance of the first worker.
    """

    def __init__(self, pid, kill_after=None, interval=1.0):
        super().__init__(daemon=True)
        self.pid, self.interval, self.kill_after = pid, interval, kill_after
        self.peak, self.killed, self.done = 0, None, threading.Event()

    def victims(self):
        """The processes below ours that run `sinter worker`."""
        found = []
        for pid in children(self.pid)[1:]:
            try:
                if b'worker' in pathlib.Path(f'/proc/{pid}/cmdline').read_bytes().split(b'\0')[1:2]:
                    found.append(pid)
            except OSError:
                pass
        return found

    def run(self):
        seen, sampled = None, time.monotonic()
        while not self.done.wait(self.interval / 2 if self.kill_after is None else min(self.interval, 0.05)):
            if time.monotonic() - sampled >= self.interval:
                self.peak = max(self.peak, memory(children(self.pid)))
                sampled = time.monotonic()
            if self.kill_after is None or self.killed is not None:
                continue
            victims = self.victims()
            if victims and seen is None:
                seen = time.monotonic()
            if victims and time.monotonic() - seen >= self.kill_after:
                self.killed = victims[-1]
                os.kill(self.killed, signal.SIGKILL)


class Sinter:
    def __init__(self, program):
        self.program, self.helps = str(program), {}

    def has(self, verb, option=None):
        """Whether this build has the command, and the option."""
        if verb not in self.helps:
            result = subprocess.run([self.program, verb, '--help'], text=True, capture_output=True)
            self.helps[verb] = result.stdout if result.returncode == 0 else ''
        return bool(self.helps[verb]) and (option is None or option in self.helps[verb].split())

    def need(self, verb, *options):
        for option in (None,) + options:
            if not self.has(verb, option):
                raise NotAvailable(f'sinter {verb} {option or ""}'.strip())

    def __call__(self, arguments, folder, before=(), kill_after=None):
        """out: seconds, cpu_seconds, peak_bytes (of the whole tree), stdout; raises Failed with what stderr said."""
        command = [*before, self.program, *map(str, arguments)]
        started = time.monotonic()
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
            watcher = Watcher(process.pid, kill_after)
            watcher.start()
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.monotonic() - started
            process.returncode = os.waitstatus_to_exitcode(status)
            watcher.done.set()
            watcher.join()
            out.seek(0), err.seek(0)
            stdout, stderr = out.read().decode(), err.read().decode(errors='replace')
        if process.returncode != 0:
            ours = [line for line in stderr.splitlines() if line.startswith('sinter: ')]  # mpirun has much to say
            raise Failed(f'{" ".join(command)}: exit code {process.returncode}: '
                         f'{" ".join(ours or [stderr.strip()])[-600:]}')
        return {'command': ' '.join(['sinter'] + [str(a) for a in arguments]), 'seconds': seconds,
                'cpu_seconds': usage.ru_utime + usage.ru_stime,
                'peak_bytes': max(watcher.peak, usage.ru_maxrss * 1024), 'killed': watcher.killed,
                'json': json.loads(stdout) if stdout.startswith('{') else None, 'stdout': stdout}
