/**
 * A real server that a test may kill: started as a user starts it, by the interpreter TOKENWIRE_PYTHON, on
 * the folder TOKENWIRE_DATA, and started again on the same port. Its processes are ended by their ids.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../..");
const { TOKENWIRE_PYTHON: PYTHON, TOKENWIRE_DATA: DATA } = process.env;

export class OwnServer {
  port = 0;

  /** @param {string} [backend] the package that it runs, if not this one's @param {Record<string, string>} [settings] of its environment */
  constructor(backend = join(ROOT, "backend"), settings = {}) {
    this.variables = { ...process.env, ...settings, PYTHONPATH: backend };
  }

  /** Up to its address; the model loads behind it. */
  async start() {
    assert.ok(PYTHON && DATA, "TOKENWIRE_PYTHON and TOKENWIRE_DATA name the interpreter and the folder of the server; tests/page/test_page.py sets them.");
    this.errors = "";
    this.process = spawn(PYTHON, ["-m", "tokenwire", "serve", `--port=${this.port}`, `--data-dir=${DATA}`], {
      cwd: ROOT, env: this.variables, stdio: ["ignore", "pipe", "pipe"],
    });
    this.process.stderr.on("data", (data) => { this.errors += data; });
    for await (const line of createInterface(this.process.stdout)) {
      this.url = /http:\/\/\S+/.exec(line)?.[0];
      if (this.url) break;
    }
    assert.ok(this.url, `the server gave no address:\n${this.errors}`);
    this.port = Number(new URL(this.url).port);
    return this;
  }

  /** Its engine processes that live. */
  engines() {
    const parents = new Map(readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map((pid) => [Number(pid), parentOf(pid)]));
    const below = (pid) => [...parents].filter(([, parent]) => parent === pid).flatMap(([child]) => [child, ...below(child)]);
    return below(this.process.pid).filter((pid) => read(`/proc/${pid}/cmdline`).includes("EngineCore"));
  }

  /** SIGKILL, and wait; its engine follows by itself. */
  async kill() {
    if (!this.process || this.process.exitCode !== null || this.process.signalCode) return;
    const gone = once(this.process, "exit");
    this.process.kill("SIGKILL");
    await gone;
  }
}

function read(path) {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

/** The name of a process may have spaces and brackets. */
const parentOf = (pid) => Number(read(`/proc/${pid}/stat`).split(")").at(-1).trim().split(" ")[1]);
