/*
 * sqlite_transfers.c - the baseline of bench/sqlite: moves money between 10,000 accounts in one SQLite
 * database, PER_COMMIT transfers in a transaction, for SECONDS; prints transfers per second.
 *
 *   transfers FILE PER_COMMIT SECONDS
 *
 * As in Hakika: the id is looked up first, the balance is checked, debit and credit and the transfer
 * itself go together; ids follow each other in time.
 */
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ACCOUNTS = 10000, BALANCE = 100000000 };

static sqlite3 *db;

static void must(int result, int expected)
{
    if (result != expected) {
        fprintf(stderr, "sqlite: %s\n", sqlite3_errmsg(db));
        exit(1);
    }
}

static void run(const char *sql)
{
    must(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
}

static sqlite3_stmt *prepare(const char *sql)
{
    sqlite3_stmt *statement = NULL;
    must(sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL), SQLITE_OK);
    return statement;
}

static void bind(sqlite3_stmt *s, int64_t a, int64_t b)
{
    must(sqlite3_reset(s), SQLITE_OK);
    must(sqlite3_bind_int64(s, 1, a), SQLITE_OK);
    if (sqlite3_bind_parameter_count(s) > 1) {
        must(sqlite3_bind_int64(s, 2, b), SQLITE_OK);
    }
}

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static sqlite3_stmt *find, *balance, *change, *insert;

static void transfer(int64_t id, int64_t debit, int64_t credit, int64_t amount)
{
    bind(find, id, 0);
    must(sqlite3_step(find), SQLITE_DONE); /* a new id */
    bind(balance, debit, 0);
    must(sqlite3_step(balance), SQLITE_ROW);
    if (sqlite3_column_int64(balance, 0) < amount) {
        return;
    }
    bind(change, debit, -amount);
    must(sqlite3_step(change), SQLITE_DONE);
    bind(change, credit, amount);
    must(sqlite3_step(change), SQLITE_DONE);
    bind(insert, id, debit);
    must(sqlite3_bind_int64(insert, 3, credit), SQLITE_OK);
    must(sqlite3_bind_int64(insert, 4, amount), SQLITE_OK);
    must(sqlite3_step(insert), SQLITE_DONE);
}

static void create(void)
{
    run("pragma journal_mode = wal");
    run("pragma synchronous = full");
    run("create table accounts (id integer primary key, balance integer not null)");
    run("create table transfers (id integer primary key, debit, credit, amount)");
    run("begin");
    insert = prepare("insert into accounts values (?, ?)");
    for (int i = 0; i < ACCOUNTS; i++) {
        bind(insert, i, BALANCE);
        must(sqlite3_step(insert), SQLITE_DONE);
    }
    must(sqlite3_finalize(insert), SQLITE_OK);
    run("commit");
    find = prepare("select 1 from transfers where id = ?");
    balance = prepare("select balance from accounts where id = ?");
    change = prepare("update accounts set balance = balance + ?2 where id = ?1");
    insert = prepare("insert into transfers values (?, ?, ?, ?)");
}

static void check_sum(void)
{
    sqlite3_stmt *sum = prepare("select sum(balance) from accounts");
    must(sqlite3_step(sum), SQLITE_ROW);
    if (sqlite3_column_int64(sum, 0) != (int64_t)ACCOUNTS * BALANCE) {
        fprintf(stderr, "sqlite: money came or went\n");
        exit(1);
    }
    must(sqlite3_finalize(sum), SQLITE_OK);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: transfers FILE PER_COMMIT SECONDS\n");
        return 2;
    }
    int64_t per_commit = strtol(argv[2], NULL, 10);
    int64_t span_ns = strtol(argv[3], NULL, 10) * 1000000000;
    uint64_t random = 88172645463325252u;
    must(sqlite3_open(argv[1], &db), SQLITE_OK);
    create();
    int64_t count = 0;
    int64_t begun_ns = now_ns();
    while (now_ns() - begun_ns < span_ns) {
        run("begin immediate");
        for (int64_t i = 0; i < per_commit; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            int64_t debit = (int64_t)(random >> 33) % ACCOUNTS;
            int64_t credit = (debit + 1 + (int64_t)(random >> 17 & 0xffff) % (ACCOUNTS - 1)) %
                             ACCOUNTS;
            transfer(++count, debit, credit, 1);
        }
        run("commit");
    }
    printf("%lld\n", (long long)(count * 1000000000 / (now_ns() - begun_ns)));
    sqlite3_stmt *const all[] = {find, balance, change, insert};
    for (int i = 0; i < 4; i++) {
        (void)sqlite3_reset(all[i]);
    }
    check_sum();
    return 0;
}
