/*
 * config.h - what the process was asked to do: flags, then environment (HAKIKA_...), then defaults.
 */
#ifndef HAKIKA_APP_CONFIG_H
#define HAKIKA_APP_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "face/face.h"

enum books {
    BOOKS_BOTH = 0,
    BOOKS_OPERATOR = 1,
    BOOKS_MERCHANT = 2,
};

/* An API key that a person made. */
enum { API_KEY_SIZE_MIN = 24 };

struct config {
    char data[512];
    char listen[64];
    char public_host[128]; /* empty: none */
    char admin_key[128];   /* empty: none */
    char callback_allow[256];
    char shadow_of[200];     /* where Daraja's paths are forwarded to; "operator"; empty: nowhere */
    char callback_from[512]; /* networks that providers' callbacks come from; empty: any */
    char trusted_proxies[256]; /* whose X-Forwarded-For is believed; empty: nobody's */
    int64_t confirm_minor;     /* from this on an unsigned callback alone is no success; 0: off */
    bool private_targets;      /* sandbox: webhooks may go to private addresses */
    uint16_t port;
    uint16_t merchant_port;
    bool merchant_port_given;
    char paystack_key_file[512]; /* of the first merchant's account at Paystack; empty: none */
    char api_key_file[512];      /* of the merchant's first API key; empty: none */
    char merchant_url[200]; /* where providers reach the merchant's port; empty: as it listens */
    enum books books;
    char merchant_key[128]; /* API key of a new merchant book; empty: the one of dev */
    enum profile profile;
    bool profile_given;
    bool virtual_clock;
    bool ephemeral;
    bool in_flight_is_500;
    bool view; /* the SQL view is kept */
    bool magic;
    char rules[512]; /* file of a rules document; empty: none */
    uint32_t connections_max;
    uint32_t total_ms;       /* time limit of one delivery */
    uint64_t snapshot_bytes; /* journal bytes between snapshots */
    int64_t keep_closed_ns;  /* what is closed stays in memory so long; 0: for ever */
    uint32_t keep_closed_max;
};

/* Parses the arguments after the command's name. False with a message (and nothing printed). */
bool config_parse(int argc, char **argv, struct config *out, char error[256]);
/* One line a flag, for --help. */
const char *config_help(void);

#endif
