/* Copyright (c) 2026, The cryptoki.hsm authors
 * GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The limit of a token: what hsm_keypairs asks of it for new P-256 pairs, and nothing else.
 *
 *     cc -O2 -o generate_limit generate_limit.c -ldl -lpthread
 *     generate_limit LIBRARY THREADS PAIRS      with the PIN on stdin; the token is that of the first slot
 *
 * Each thread has a session. It makes its pairs one after the other, reads both halves of each in one call, and signs
 * with it. When all are there, both classes are searched and each object is read again.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long word;
typedef word (*function)();
typedef struct { word type; void *value; word length; } attribute;
typedef struct { unsigned char version[2]; function call[68]; } function_list;

enum { INITIALIZE = 0, FINALIZE = 1, SLOTS = 4, OPEN = 12, LOGIN = 18, READ = 24, FIND_INIT = 26, FIND = 27 };
enum { FIND_FINAL = 28, SIGN_INIT = 42, SIGN = 43, GENERATE_PAIR = 59 };
static const word PUBLIC_KEY = 2, PRIVATE_KEY = 3;
static const unsigned char YES = 1, NO = 0;
static const unsigned char P256[] = {6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7};
/* What is read of each half: its numbers and texts have room, the rest are one byte. */
static const word READ_PUBLIC[] = {
    0x000, 0x001, 0x002, 0x003, 0x086, 0x100, 0x102, 0x104, 0x106, 0x10a, 0x10b, 0x10c, 0x110, 0x111, 0x120, 0x121,
    0x122, 0x163, 0x166, 0x170, 0x171, 0x172, 0x180, 0x181};
static const word READ_PRIVATE[] = {
    0x000, 0x001, 0x002, 0x003, 0x100, 0x102, 0x103, 0x105, 0x107, 0x108, 0x109, 0x10c, 0x110, 0x111, 0x120, 0x122,
    0x129, 0x162, 0x163, 0x164, 0x165, 0x166, 0x170, 0x171, 0x172, 0x180, 0x202, 0x210};
#define COUNT(array) (sizeof(array) / sizeof *(array))

static function_list *token;
static word slot, pairs, threads;

static void ask(const char *what, word answer)
{
    if (answer) {
        fprintf(stderr, "%s: 0x%lx\n", what, answer);
        exit(1);
    }
}

static void read_half(word session, word handle, word half)
{
    static __thread unsigned char room[28][4096];
    attribute wanted[28];
    const word *codes = half == PUBLIC_KEY ? READ_PUBLIC : READ_PRIVATE;
    word count = half == PUBLIC_KEY ? COUNT(READ_PUBLIC) : COUNT(READ_PRIVATE);
    for (word i = 0; i < count; i++)
        wanted[i] = (attribute){codes[i], room[i], sizeof room[i]};
    word answer = token->call[READ](session, handle, wanted, count);
    if (answer != 0x12) /* an attribute that an EC key has not */
        ask("C_GetAttributeValue", answer);
}

static void make_pair(word session, word number)
{
    char label[32];
    unsigned char id[16] = {0}, digest[32] = {1}, signature[64];
    word label_length = (word)sprintf(label, "pair %lu", number);
    memcpy(id, &number, sizeof number);
    word class_public = PUBLIC_KEY, class_private = PRIVATE_KEY, size = sizeof signature;
#define FLAG(code, value) {code, (void *)&value, 1}
    attribute public[] = {
        {0, &class_public, 8}, FLAG(1, YES), FLAG(2, NO), FLAG(0x104, NO), FLAG(0x106, NO), FLAG(0x10a, YES),
        FLAG(0x10b, NO), FLAG(0x10c, NO), {3, label, label_length}, {0x102, id, 16}, {0x180, (void *)P256, sizeof P256}};
    attribute private[] = {
        {0, &class_private, 8}, FLAG(1, YES), FLAG(2, YES), FLAG(0x105, NO), FLAG(0x107, NO), FLAG(0x108, YES),
        FLAG(0x109, NO), FLAG(0x10c, NO), FLAG(0x162, YES), {3, label, label_length}, {0x102, id, 16}, FLAG(0x103, YES)};
    attribute generate = {0x1040, NULL, 0}, ecdsa = {0x1041, NULL, 0}; /* a CK_MECHANISM has the same members */
    word handles[2];
    ask("C_GenerateKeyPair", token->call[GENERATE_PAIR](session, &generate, public, COUNT(public), private,
                                                        COUNT(private), &handles[0], &handles[1]));
    read_half(session, handles[0], PUBLIC_KEY);
    read_half(session, handles[1], PRIVATE_KEY);
    ask("C_SignInit", token->call[SIGN_INIT](session, &ecdsa, handles[1]));
    ask("C_Sign", token->call[SIGN](session, digest, sizeof digest, signature, &size));
}

static word opened(void)
{
    word session;
    ask("C_OpenSession", token->call[OPEN](slot, 6UL, NULL, NULL, &session));
    return session;
}

static void *work(void *first)
{
    word session = opened();
    for (word number = (word)first; number < pairs; number += threads)
        make_pair(session, number);
    return NULL;
}

static void look_again(word session, word half)
{
    attribute wanted[] = {{0, &half, 8}, FLAG(1, YES)};
    word *handles = calloc(pairs + 64, sizeof *handles), found = 0, more;
    ask("C_FindObjectsInit", token->call[FIND_INIT](session, wanted, COUNT(wanted)));
    do {
        ask("C_FindObjects", token->call[FIND](session, handles + found, 64UL, &more));
        found += more;
    } while (more && found <= pairs);
    ask("C_FindObjectsFinal", token->call[FIND_FINAL](session));
    ask("the number of objects", found != pairs);
    for (word i = 0; i < found; i++)
        read_half(session, handles[i], half);
    free(handles);
}

int main(int argc, char **argv)
{
    char pin[256] = "";
    struct { void *functions[4]; word flags; void *reserved; } locking = {{NULL}, 2, NULL};
    if (argc != 4 || !fgets(pin, sizeof pin, stdin))
        return 2;
    threads = strtoul(argv[2], NULL, 10), pairs = strtoul(argv[3], NULL, 10);
    void *library = dlopen(argv[1], RTLD_NOW);
    word (*get)(function_list **) = library ? (word (*)(function_list **))dlsym(library, "C_GetFunctionList") : NULL;
    if (!get || get(&token))
        return 2;
    ask("C_Initialize", token->call[INITIALIZE](&locking));
    word slots[16], count = COUNT(slots);
    ask("C_GetSlotList", token->call[SLOTS](1UL, slots, &count));
    slot = slots[0];
    word session = opened();
    ask("C_Login", token->call[LOGIN](session, 1UL, pin, (word)strlen(pin)));
    pthread_t *all = calloc(threads, sizeof *all);
    for (word i = 0; i < threads; i++)
        ask("a thread", (word)pthread_create(&all[i], NULL, work, (void *)i));
    for (word i = 0; i < threads; i++)
        pthread_join(all[i], NULL);
    look_again(session, PUBLIC_KEY);
    look_again(session, PRIVATE_KEY);
    ask("C_Finalize", token->call[FINALIZE](NULL));
    puts("done");
    return 0;
}
