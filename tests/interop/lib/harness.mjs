// A list of tests, run one after the other, each with a deadline and with
// what it opened closed behind it. node:test is not used because its reports
// differ between the versions of Node that Debian and Ubuntu have.

const tests = [];
let suite_name = "";
let current = null;

class Skip extends Error {}

/** What a test gets: a place to leave work for its end. */
class Scope {
    #last = [];

    /** Runs `close` when the test is over, the last one given first. */
    after(close) {
        this.#last.push(close);
    }

    /** Ends the test without a verdict. */
    skip(reason) {
        throw new Skip(reason);
    }

    async close() {
        let failure = null;
        for (const close of this.#last.reverse()) {
            try {
                await close();
            } catch (error) {
                failure ??= error;
            }
        }
        if (failure !== null) {
            throw failure;
        }
    }
}

/** Names the tests that follow. */
export function suite(name) {
    suite_name = name;
}

/** One test; `body` gets a Scope and fails by throwing. */
export function test(name, body, { limit_ms = 60000 } = {}) {
    tests.push({ name: `${suite_name}: ${name}`, body, limit_ms });
}

/** A promise with its handles, and what it waits for in its time-out. */
export function expectation(what, limit_ms) {
    let settle;
    const promise = new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
            reject(new Error(`${what()} within ${limit_ms} ms`));
        }, limit_ms);
        settle = (done) => (value) => {
            clearTimeout(timer);
            done(value);
        };
        settle = { resolve: settle(resolve), reject: settle(reject) };
    });
    return { promise, ...settle };
}

/** With a deadline too, so that what never closes is a failure with a name. */
async function closed(scope, limit_ms) {
    const deadline = expectation(() => "what it opened did not close",
        limit_ms);
    try {
        await Promise.race([scope.close(), deadline.promise]);
    } finally {
        deadline.resolve();
    }
}

async function attempt({ body, limit_ms }) {
    const scope = new Scope();
    const deadline = expectation(() => "the test did not end", limit_ms);
    current = deadline;
    try {
        await Promise.race([body(scope), deadline.promise]);
    } finally {
        deadline.resolve();
        await closed(scope, limit_ms);
        current = null;
    }
}

async function run(one) {
    const began_ms = Date.now();
    try {
        await attempt(one);
        console.log(`ok    ${one.name} (${Date.now() - began_ms} ms)`);
        return "passed";
    } catch (error) {
        if (error instanceof Skip) {
            console.log(`skip  ${one.name}: ${error.message}`);
            return "skipped";
        }
        console.log(`FAIL  ${one.name}`);
        console.log(String(error?.stack ?? error).replace(/^/gm, "      "));
        return "failed";
    }
}

/** Runs the tests whose name contains `pattern`; true if none failed. */
export async function run_all(pattern) {
    const counts = { passed: 0, failed: 0, skipped: 0 };
    const stray = (error) => {
        if (current === null) {
            counts.failed += 1;
            console.log(`FAIL  between tests: ${error?.stack ?? error}`);
        } else {
            current.reject(error);
        }
    };
    process.on("uncaughtException", stray);
    process.on("unhandledRejection", stray);
    for (const one of tests.filter((t) => t.name.includes(pattern))) {
        counts[await run(one)] += 1;
    }
    console.log(`${counts.passed} passed, ${counts.failed} failed, ` +
        `${counts.skipped} skipped`);
    return counts.failed === 0 && counts.passed + counts.skipped > 0;
}
