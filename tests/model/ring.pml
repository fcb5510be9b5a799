/* The ring's algorithm, for spin: one writer that publishes and flushes, two
 * readers that copy, validate, are lapped, sleep and are woken.
 *
 * Each step of a process is one access to shared memory, so every order in
 * which they can fall under sequential consistency is tried. What weaker memory
 * may do is not: the orderings stand beside each atomic in ipc/. Names are those of
 * ring_layout.h and of the functions in ring_pen.c, ring_cursor.c, ring_host_out.c
 * and reader_read.c. A frame has two words, so that it can be torn. There are no
 * timeouts, so a wake-up that is missed is a process that hangs, which spin
 * finds as an invalid end state.
 *
 * Each WITHOUT_... takes one step away; the property that it stands for must
 * then fail (tests/model/run). */

#ifndef CAPACITY
#define CAPACITY 2
#endif
#ifndef FRAMES
#define FRAMES 4 /* that are written */
#endif
#ifndef READERS
#define READERS 2
#endif
#ifndef FLUSHES
#define FLUSHES 1
#endif
/* Two places by turns, so that the last flush is never found half changed. */
#ifdef WITHOUT_TWO_FLUSHES
#define FLUSH_AT(number) 0
#else
#define FLUSH_AT(number) ((number) % 2)
#endif
#define AT(position) ((position) % CAPACITY)

byte intent, head, sleepers, wake_word, flush_count;
byte flush_to[2], flush_turn[2];
byte first_word[CAPACITY], second_word[CAPACITY];
bool asleep[READERS];

/* What only the proof knows: up to where a flush that is over has cut, and
 * which turn each flush was about. */
byte flushed, turn_of[FRAMES + 1];

/* ---- the writer ---- */

inline wake()
{
    if
    :: sleepers == 0
    :: else ->
#ifndef WITHOUT_CLEAR_BEFORE_WAKE
        sleepers = 0;
#endif
        wake_word++;
        d_step { asleep[0] = false; asleep[READERS - 1] = false }
#ifdef WITHOUT_CLEAR_BEFORE_WAKE
        sleepers = 0;
#endif
    fi
}

inline write(count)
{
#ifndef WITHOUT_INTENT
    intent = head + count;
#endif
    i = 0;
    do
    :: i < count ->
        first_word[AT(head + i)] = head + i + 1;
        second_word[AT(head + i)] = head + i + 1;
        i++
    :: else -> break
    od;
    i = 0;
#ifdef WITHOUT_INTENT
    intent = head + count;
#endif
    head = head + count;
    wake()
}

/* To head, or to the frame before it, but never back. */
inline flush()
{
    if
    :: to = head
    :: head > flushed + 1 -> to = head - 1
    fi;
    flushes++;
    turn_of[to] = flushes;
#ifdef WITHOUT_FLUSH_ORDER
    flush_count = flushes;
    flush_to[FLUSH_AT(flushes)] = to;
    flush_turn[FLUSH_AT(flushes)] = flushes;
#else
    flush_to[FLUSH_AT(flushes)] = to;
    flush_turn[FLUSH_AT(flushes)] = flushes;
    flush_count = flushes;
#endif
    flushed = to;
    wake()
}

active proctype writer()
{
    byte i, to, flushes;

    do
    :: head < FRAMES -> write(1)
    :: head + 1 < FRAMES -> write(2)
    :: flushes < FLUSHES && head > flushed -> flush()
    :: head == FRAMES -> break
    od
}

/* ---- a reader ---- */

/* Where reading may begin: not below what the intent has taken away. */
inline oldest(from, limit, result)
{
    seen_intent = intent;
    result = from;
    if
    :: seen_intent > CAPACITY && seen_intent - CAPACITY > from ->
        result = seen_intent - CAPACITY
    :: else
    fi;
    if
    :: result > limit -> result = limit
    :: else
    fi
}

inline tell_lap()
{
    seen_head = head;
    oldest(position, seen_head, next);
#ifdef WITHOUT_EXACT_LOSS
    account = account + 1;
#else
    account = account + next - position;
#endif
    position = next
}

inline tell_flush()
{
    seen_to = flush_to[FLUSH_AT(seen_count)];
    seen_turn = flush_turn[FLUSH_AT(seen_count)];
    /* what was counted meanwhile is looked at again */
    if
#ifndef WITHOUT_SECOND_COUNT
    :: seen_count != flush_count
#endif
    :: else ->
        my_flush_count = seen_count;
        assert(turn_of[seen_to] == seen_turn);
        if
        :: seen_to > position ->
            account = account + seen_to - position;
            position = seen_to
        :: else
        fi
    fi;
    told = true
}

inline look_for_flush()
{
    told = false;
    seen_count = flush_count;
#ifndef WITHOUT_FLUSH_CHECKS
    if
    :: seen_count != my_flush_count -> tell_flush()
    :: else
    fi
#endif
}

inline copy()
{
    good = true;
    n = 0;
    do
    :: position + n < seen_head && n < CAPACITY ->
        good = good && first_word[AT(position + n)] == position + n + 1;
        good = good && second_word[AT(position + n)] == position + n + 1;
        n++
    :: else -> break
    od
}

inline read()
{
    began_flushed = flushed;
    look_for_flush();
    if
    :: told
    :: else ->
        seen_head = head;
        oldest(position, seen_head, next);
        if
        :: position < next -> tell_lap()
        :: else ->
            copy();
#ifdef WITHOUT_VALIDATION
            seen_intent = position;
#else
            seen_intent = intent;
#endif
            if
            :: seen_intent > position + CAPACITY -> tell_lap()
            :: else ->
                look_for_flush();
                if
                :: told
                :: else ->
                    assert(good);
                    assert(n == 0 || position >= began_flushed);
                    account = account + n;
                    position = position + n
                fi
            fi
        fi
    fi;
    assert(account == position)
}

inline wait(me)
{
    seen_word = wake_word;
    sleepers = 1;
    seen_count = flush_count;
    seen_head = head;
    if
#ifndef WITHOUT_SECOND_LOOK
    :: seen_head != position || seen_count != my_flush_count
#endif
    :: else ->
        /* the futex: the word is compared and the sleep begun in one */
        atomic {
            if
            :: wake_word == seen_word -> asleep[me] = true
            :: else
            fi
        }
        !asleep[me]
    fi
}

/* What the next round does not look at: fewer states. */
inline forget()
{
    d_step {
        next = 0; n = 0; began_flushed = 0; seen_head = 0; seen_intent = 0;
        seen_count = 0; seen_to = 0; seen_turn = 0; seen_word = 0; told = false; good = true
    }
}

/* Takes its place, now or at the oldest frame, and knows the flush that was
 * before, unless another comes meanwhile: that is told later. */
inline attach()
{
#ifdef WITHOUT_FLUSH_BEFORE_HEAD
    seen_head = head;
#endif
    seen_count = flush_count;
    seen_to = flush_to[FLUSH_AT(seen_count)];
    told = seen_count == flush_count;
#ifndef WITHOUT_FLUSH_BEFORE_HEAD
    seen_head = head;
#endif
    if
    :: position = seen_head
    :: oldest(0, seen_head, position)
    fi;
    if
    :: told ->
        my_flush_count = seen_count;
        if
        :: seen_to <= seen_head && seen_to > position -> position = seen_to
        :: else
        fi
    :: else
    fi
}

/* `account` is what was read, told as lost, and told as skipped, together. */
proctype reader(byte me)
{
    byte position, account, next, n, began_flushed;
    byte seen_head, seen_intent, seen_count, seen_to, seen_turn, seen_word;
    byte my_flush_count;
    bool told, good = true;

    attach();
    account = position;
    forget();
    do
    :: position == FRAMES -> break
    :: else ->
        read();
        seen_head = head;
        seen_count = flush_count;
        if
        :: position == FRAMES
        :: position < FRAMES &&
           (seen_head != position || seen_count != my_flush_count)
        :: else -> wait(me)
        fi;
        forget()
    od
}

init
{
    atomic {
        run reader(0);
#if READERS > 1
        run reader(1)
#endif
    }
}
