/* Copyright (c) 2026, The cryptoki.hsm authors
 * GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A PKCS#11 library that passes every call on to a real one, and misbehaves as it is told.
 *
 *     cc -shared -fPIC -o pkcs11_fault.so pkcs11_fault.c -ldl
 *
 * FAULT_MODULE  the real library
 * FAULT_LOG     a file that gets the name of each call, one a line, when the call is made
 * FAULT         rules, one a line:  FUNCTION[#N[+]][@X][^OTHER][~OTHER] WHEN ACTION [ARGUMENTS]
 *
 *   #N     only the N-th call of the function in this process, #N+ that one and all later ones
 *   @X     only calls whose first argument (slot or session) is the number X
 *   ^OTHER only once the function OTHER has been called in this process
 *   ~OTHER only calls whose first argument (slot or session) no call of OTHER has had
 *   WHEN   before, after, or instead (the real function is not called)
 *
 * Actions that fit any function:
 *   return CKR          answer this value; with "after": although the real call was made
 *   kill                SIGKILL to this process
 *   sleep SECONDS       block
 *   run COMMAND         by sh(1), for instance to be the other host
 *   print TEXT          to the stdout of C, buffered as a vendor's printf would be
 *   poke N OFFSET HEX   write a machine word into what the N-th argument (from 0) points to
 *   pass N HEX          before: the N-th argument itself is this word
 *   mistake N LABEL     before: the N-th argument, an object, is another one of the same class, which has this label
 *   logout              before: the session's user is logged out, as by a device that was restarted
 * Actions that fit one function:
 *   arguments           before C_Initialize: print the flags of its arguments to the stdout of C
 *   reserved TEXT       before C_Initialize: what NSS takes its parameters from, which no client passes
 *   flags SET CLEAR     after C_GetTokenInfo: set and clear flags of the token
 *   ignore CODE         before C_FindObjectsInit: the token does not go by an attribute
 *   also LABEL          after C_DestroyObject: the public half with this label goes, too
 *   others LABEL        after C_GenerateKeyPair: both handles are those of the pair with this label
 *   set HALF CODE HEX   before C_GenerateKeyPair: the token has its own will about an attribute of a half
 *   drop HALF CODE      before C_GenerateKeyPair: the token ignores an attribute of a half
 *   stranger            after C_GenerateKeyPair: the public handle is that of another key
 *   strangers           after C_GenerateKeyPair: both handles are those of another pair
 *   handle WHOSE        after C_CreateObject, C_CopyObject, C_UnwrapKey or C_DeriveKey: the handle of what was made is
 *                       0, that of the original of a copy (own), or that of another key of this class (2, 3 or 4)
 *   copy WHAT           instead of C_CopyObject: a copy without the change (unchanged), or of the session (session)
 *   value CODE HEX      after C_GetAttributeValue: the attribute has this value
 *   sized CODE HEX      the same, but a buffer that is too small is answered by the length that is needed
 *   untold CODE         the same: the token does not tell the attribute
 *   longer N            the same: each answered length is more by this number of bytes
 *   twice               after C_FindObjects: each handle is answered a second time, as far as there is room
 *   few N               the same: no more than so many handles
 *   ghost               the same: one handle more, of nothing, if there is room
 *   stop                instead of C_GetAttributeValue: end at the first attribute that fails, leave the rest alone
 *
 * Arguments pass as machine words whatever their number, which the calling conventions of x86-64 and AArch64 allow.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long word;
typedef word (*function)(word, word, word, word, word, word, word, word);
typedef struct { word type; void *value; word length; } attribute;
typedef struct { unsigned char version[2]; function call[68]; } function_list;

#ifndef UNMARKED
/* The collection tells SoftHSM by this word in the library's file; without it, this is some vendor's library. */
__attribute__((used)) static const char softhsm_mark[] = "SOFTHSM2_CONF";
#endif

enum { OK = 0, DEVICE_ERROR = 0x30, TYPE_INVALID = 0x12, BUFFER_TOO_SMALL = 0x150 };
enum { GET_FUNCTION_LIST = 3, COPY = 21, DESTROY = 22, GET_ATTRIBUTE_VALUE = 24, FIND_INIT = 26, FIND = 27, FIND_FINAL = 28 };
static const word UNAVAILABLE = ~0UL;

#define FUNCTIONS(X) \
    X(0, C_Initialize) X(1, C_Finalize) X(2, C_GetInfo) X(3, C_GetFunctionList) X(4, C_GetSlotList) \
    X(5, C_GetSlotInfo) X(6, C_GetTokenInfo) X(7, C_GetMechanismList) X(8, C_GetMechanismInfo) X(9, C_InitToken) \
    X(10, C_InitPIN) X(11, C_SetPIN) X(12, C_OpenSession) X(13, C_CloseSession) X(14, C_CloseAllSessions) \
    X(15, C_GetSessionInfo) X(16, C_GetOperationState) X(17, C_SetOperationState) X(18, C_Login) X(19, C_Logout) \
    X(20, C_CreateObject) X(21, C_CopyObject) X(22, C_DestroyObject) X(23, C_GetObjectSize) \
    X(24, C_GetAttributeValue) X(25, C_SetAttributeValue) X(26, C_FindObjectsInit) X(27, C_FindObjects) \
    X(28, C_FindObjectsFinal) X(29, C_EncryptInit) X(30, C_Encrypt) X(31, C_EncryptUpdate) X(32, C_EncryptFinal) \
    X(33, C_DecryptInit) X(34, C_Decrypt) X(35, C_DecryptUpdate) X(36, C_DecryptFinal) X(37, C_DigestInit) \
    X(38, C_Digest) X(39, C_DigestUpdate) X(40, C_DigestKey) X(41, C_DigestFinal) X(42, C_SignInit) X(43, C_Sign) \
    X(44, C_SignUpdate) X(45, C_SignFinal) X(46, C_SignRecoverInit) X(47, C_SignRecover) X(48, C_VerifyInit) \
    X(49, C_Verify) X(50, C_VerifyUpdate) X(51, C_VerifyFinal) X(52, C_VerifyRecoverInit) X(53, C_VerifyRecover) \
    X(54, C_DigestEncryptUpdate) X(55, C_DecryptDigestUpdate) X(56, C_SignEncryptUpdate) \
    X(57, C_DecryptVerifyUpdate) X(58, C_GenerateKey) X(59, C_GenerateKeyPair) X(60, C_WrapKey) X(61, C_UnwrapKey) \
    X(62, C_DeriveKey) X(63, C_SeedRandom) X(64, C_GenerateRandom) X(65, C_GetFunctionStatus) \
    X(66, C_CancelFunction) X(67, C_WaitForSlotEvent)

#define NAME(index, name) #name,
static const char *const names[68] = {FUNCTIONS(NAME)};
static function_list *real;
static unsigned calls[68];
/* The first arguments of calls, as far as there is room. */
static word firsts[68][64];

static word pass(int index, const word *a)
{
    return real->call[index](a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]);
}

/* ---- what a rule says ---- */

typedef struct {
    char function[80], when[8], action[12];
    const char *rest;
    unsigned nth;
    int onwards, any, other, without;
    word first;
} rule;

static int index_of(const char *name)
{
    int index = 0;
    while (index < 68 && strcmp(names[index], name))
        index++;
    return index;
}

static int read_rule(const char *line, rule *r)
{
    int used = 0;
    memset(r, 0, sizeof *r);
    if (sscanf(line, "%79s %7s %11s %n", r->function, r->when, r->action, &used) < 3)
        return 0;
    r->rest = line + used;
    char *first = strchr(r->function, '@'), *nth = strchr(r->function, '#'), *other = strchr(r->function, '^');
    char *without = strchr(r->function, '~');
    r->any = !first;
    r->without = without ? index_of(without + 1) : 68;
    if (without) *without = 0;
    r->other = other ? index_of(other + 1) : 68;
    if (other) *other = 0;
    if (first) { r->first = strtoul(first + 1, NULL, 0); *first = 0; }
    if (nth) { r->nth = (unsigned)strtoul(nth + 1, NULL, 10); r->onwards = !!strchr(nth, '+'); *nth = 0; }
    return index_of(r->function) < 68 && (!other || r->other < 68) && (!without || r->without < 68);
}

/* The number of the call that this thread makes now: others may make some of the same function meanwhile. */
static __thread unsigned call;

static int had(int index, word first)
{
    for (unsigned i = 0; i < calls[index] && i < 64; i++)
        if (firsts[index][i] == first)
            return 1;
    return 0;
}

static int applies(const rule *r, int index, const word *a, const char *when)
{
    return !strcmp(r->function, names[index]) && !strcmp(r->when, when) && (r->any || r->first == a[0])
        && (!r->nth || r->nth == call || (r->onwards && call > r->nth)) && (r->other == 68 || calls[r->other])
        && (r->without == 68 || !had(r->without, a[0]));
}

static size_t from_hex(const char *digits, unsigned char *bytes, size_t size)
{
    size_t count = 0;
    unsigned byte;
    while (count < size && sscanf(digits + 2 * count, "%2x", &byte) == 1)
        bytes[count++] = (unsigned char)byte;
    return count;
}

/* ---- actions that fit one function ---- */

/* C_GenerateKeyPair: the caller's template of a half is changed in a copy, which a[] then points to. */
static void change_template(const char *rest, word *a, int keep)
{
    static attribute copies[2][64];
    static unsigned char bytes[16][64];
    static int used;
    char half[8], digits[130] = "";
    word code;
    if (sscanf(rest, "%7s %lx %129s", half, &code, digits) < 2)
        return;
    int at = strcmp(half, "public") ? 4 : 2;
    attribute *copy = copies[at == 4], *given = (attribute *)a[at];
    word count = 0;
    for (word i = 0; i < a[at + 1]; i++)
        if (given[i].type != code)
            copy[count++] = given[i];
    if (keep) {
        unsigned char *value = bytes[used++ % 16];
        copy[count++] = (attribute){code, value, from_hex(digits, value, sizeof bytes[0])};
    }
    a[at] = (word)copy;
    a[at + 1] = count;
}

/* C_FindObjectsInit: the caller's template without an attribute, in a copy that is good for this call. */
static void ignore(const char *rest, word *a)
{
    static __thread attribute copy[32];
    word code = strtoul(rest, NULL, 0), count = 0;
    const attribute *given = (attribute *)a[1];
    for (word i = 0; i < a[2] && i < 32; i++)
        if (given[i].type != code)
            copy[count++] = given[i];
    a[1] = (word)copy;
    a[2] = count;
}

/* A key of a class (2 public, 3 private) that is none of these two, in place of the first. */
static void another(word session, word class, word *handle, word neither)
{
    word found[16], count = 0;
    attribute wanted = {0, &class, sizeof class};
    real->call[FIND_INIT](session, (word)&wanted, 1, 0, 0, 0, 0, 0);
    real->call[FIND](session, (word)found, 16, (word)&count, 0, 0, 0, 0);
    real->call[FIND_FINAL](session, 0, 0, 0, 0, 0, 0, 0);
    for (word i = 0; i < count; i++)
        if (found[i] != *handle && found[i] != neither) {
            *handle = found[i];
            return;
        }
}

static void strangers(word *a, int both)
{
    another(a[0], 2, (word *)a[6], 0);
    if (both)
        another(a[0], 3, (word *)a[7], 0);
}

/* The answer is another handle than that of what was made. */
static void other_handle(const char *whose, int index, const word *a)
{
    word class = strtoul(whose, NULL, 10), *handle = (word *)a[index == COPY ? 4 : index == 20 ? 3 : index == 61 ? 7 : 5];
    if (class)
        another(a[0], class, handle, index == COPY ? a[1] : 0);
    else
        *handle = strncmp(whose, "own", 3) ? 0 : a[1];
}

/* C_CopyObject: a copy that is not what was asked for. */
static word other_copy(const char *what, const word *a)
{
    unsigned char no = 0;
    attribute asked[17] = {{1, &no, 1}};
    word count = 0;
    if (!strncmp(what, "session", 7))
        for (count = 1; count <= a[3] && count < 17; count++)
            asked[count] = ((attribute *)a[2])[count - 1];
    return real->call[COPY](a[0], a[1], (word)asked, count, a[4], 0, 0, 0);
}

/* C_GetAttributeValue: the answer about one attribute is replaced; room[] is what the caller's buffers took. */
static word other_value(const char *rest, word *a, const word *room, word rv, int tells_size)
{
    static unsigned char bytes[2048];
    static char digits[4097];
    attribute *asked = (attribute *)a[2];
    word code;
    if (sscanf(rest, "%lx %4096s", &code, digits) != 2)
        return rv;
    size_t length = from_hex(digits, bytes, sizeof bytes);
    for (word i = 0; i < a[3] && i < 64; i++) {
        if (asked[i].type != code)
            continue;
        if (!asked[i].value || room[i] >= length) {
            if (asked[i].value)
                memcpy(asked[i].value, bytes, length);
            asked[i].length = length;
            if (a[3] == 1)
                rv = OK;
        } else {
            asked[i].length = tells_size ? length : UNAVAILABLE;
            rv = BUFFER_TOO_SMALL;
        }
    }
    return rv;
}

static word untold(const char *rest, const word *a, word rv)
{
    attribute *asked = (attribute *)a[2];
    word code = strtoul(rest, NULL, 0);
    for (word i = 0; i < a[3]; i++)
        if (asked[i].type == code) {
            asked[i].length = UNAVAILABLE;
            rv = TYPE_INVALID;
        }
    return rv;
}

static void twice(word *a)
{
    word *found = (word *)a[1], *count = (word *)a[3], room = a[2] - *count, more = *count < room ? *count : room;
    memcpy(found + *count, found, more * sizeof *found);
    *count += more;
}

static word stop_at_failure(const word *a)
{
    for (word i = 0; i < a[3]; i++) {
        word rv = real->call[GET_ATTRIBUTE_VALUE](a[0], a[1], a[2] + i * sizeof(attribute), 1, 0, 0, 0, 0);
        if (rv != OK)
            return rv;
    }
    return OK;
}

static void flags(const char *rest, word *a)
{
    word set = 0, clear = 0, *token_flags = (word *)(a[1] + 96); /* behind label, manufacturer, model and serial */
    sscanf(rest, "%lx %lx", &set, &clear);
    *token_flags = (*token_flags | set) & ~clear;
}

static void poke(const char *rest, const word *a)
{
    word argument, offset, value;
    if (sscanf(rest, "%lu %lu %lx", &argument, &offset, &value) != 3 || argument > 7)
        abort();
    memcpy((char *)a[argument] + offset, &value, sizeof value);
}

static void pass_word(const char *rest, word *a)
{
    word argument, value;
    if (sscanf(rest, "%lu %lx", &argument, &value) != 2 || argument > 7)
        abort();
    a[argument] = value;
}

/* ---- actions that take an object by its label ---- */

/* An object of this class and label; 0 if there is none. */
static word labelled(word session, word class, const char *label)
{
    word found = 0, count = 0;
    attribute wanted[] = {{0, &class, sizeof class}, {3, (void *)label, strlen(label)}};
    real->call[FIND_INIT](session, (word)wanted, 2, 0, 0, 0, 0, 0);
    real->call[FIND](session, (word)&found, 1, (word)&count, 0, 0, 0, 0);
    real->call[FIND_FINAL](session, 0, 0, 0, 0, 0, 0, 0);
    return count ? found : 0;
}

static void others(const char *label, const word *a)
{
    *(word *)a[6] = labelled(a[0], 2, label);
    *(word *)a[7] = labelled(a[0], 3, label);
}

static void also(const char *label, const word *a)
{
    word public = labelled(a[0], 2, label);
    if (public)
        real->call[DESTROY](a[0], public, 0, 0, 0, 0, 0, 0);
}

static void mistake(const char *rest, word *a)
{
    int used = 0;
    unsigned argument;
    word class = 0;
    attribute asked = {0, &class, sizeof class};
    if (sscanf(rest, "%u %n", &argument, &used) != 1 || argument > 7)
        abort();
    real->call[GET_ATTRIBUTE_VALUE](a[0], a[argument], (word)&asked, 1, 0, 0, 0, 0);
    a[argument] = labelled(a[0], class, rest + used);
}

/* ---- actions on what a search or a read answered ---- */

static void few(const char *most, const word *a)
{
    word *count = (word *)a[3], room = strtoul(most, NULL, 0);
    if (*count > room)
        *count = room;
}

static void ghost(const word *a)
{
    word *count = (word *)a[3];
    if (*count < a[2])
        ((word *)a[1])[(*count)++] = 0x7ffffffe;
}

static void longer(const char *rest, const word *a)
{
    attribute *asked = (attribute *)a[2];
    for (word i = 0; i < a[3]; i++)
        if (asked[i].length != UNAVAILABLE)
            asked[i].length += strtoul(rest, NULL, 0);
}

/* CK_C_INITIALIZE_ARGS: four functions, then the flags. */
static void arguments(const word *a)
{
    if (a[0])
        printf("C_Initialize with flags 0x%lx\n", ((const word *)a[0])[4]);
    else
        puts("C_Initialize without arguments");
}

/* NSS has one member more than the standard's CK_C_INITIALIZE_ARGS, behind pReserved. */
static void reserved(const char *text, word *a)
{
    static word given[7];
    given[4] = 2; /* CKF_OS_LOCKING_OK */
    given[5] = (word)strdup(text);
    a[0] = (word)given;
}

/* ---- one call ---- */

static word act(const rule *r, int index, word *a, const word *room, word rv)
{
    const char *what = r->action;
    if (!strcmp(what, "return")) return strtoul(r->rest, NULL, 0);
    if (!strcmp(what, "kill")) kill(getpid(), SIGKILL);
    else if (!strcmp(what, "sleep")) usleep((useconds_t)(atof(r->rest) * 1e6));
    else if (!strcmp(what, "run")) { if (system(r->rest)) abort(); }
    else if (!strcmp(what, "print")) puts(r->rest);
    else if (!strcmp(what, "poke")) poke(r->rest, a);
    else if (!strcmp(what, "pass")) pass_word(r->rest, a);
    else if (!strcmp(what, "mistake")) mistake(r->rest, a);
    else if (!strcmp(what, "logout")) real->call[19](a[0], 0, 0, 0, 0, 0, 0, 0); /* C_Logout */
    else if (!strcmp(what, "ignore")) ignore(r->rest, a);
    else if (!strcmp(what, "also")) also(r->rest, a);
    else if (!strcmp(what, "others")) others(r->rest, a);
    else if (!strcmp(what, "few")) few(r->rest, a);
    else if (!strcmp(what, "ghost")) ghost(a);
    else if (!strcmp(what, "longer")) longer(r->rest, a);
    else if (!strcmp(what, "arguments")) arguments(a);
    else if (!strcmp(what, "reserved")) reserved(r->rest, a);
    else if (!strcmp(what, "flags")) flags(r->rest, a);
    else if (!strcmp(what, "set")) change_template(r->rest, a, 1);
    else if (!strcmp(what, "drop")) change_template(r->rest, a, 0);
    else if (!strcmp(what, "stranger")) strangers(a, 0);
    else if (!strcmp(what, "strangers")) strangers(a, 1);
    else if (!strcmp(what, "handle")) other_handle(r->rest, index, a);
    else if (!strcmp(what, "copy")) return other_copy(r->rest, a);
    else if (!strcmp(what, "twice")) twice(a);
    else if (!strcmp(what, "value")) return other_value(r->rest, a, room, rv, 0);
    else if (!strcmp(what, "sized")) return other_value(r->rest, a, room, rv, 1);
    else if (!strcmp(what, "untold")) return untold(r->rest, a, rv);
    else if (!strcmp(what, "stop")) return stop_at_failure(a);
    else { fprintf(stderr, "FAULT: %s has no action %s\n", names[index], what); abort(); }
    return rv;
}

/* Carries out the rules of one moment; returns how many applied. */
static int rules(int index, const char *when, word *a, const word *room, word *rv)
{
    const char *given = getenv("FAULT");
    char *text = strdup(given ? given : ""), *state = NULL;
    int count = 0;
    for (char *line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
        rule r;
        if (!read_rule(line, &r)) { fprintf(stderr, "FAULT: no rule: %s\n", line); abort(); }
        if (applies(&r, index, a, when)) {
            *rv = act(&r, index, a, room, *rv);
            count++;
        }
    }
    free(text);
    return count;
}

static void note(int index)
{
    char line[48];
    const char *path = getenv("FAULT_LOG");
    int file = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666) : -1;
    if (file >= 0) {
        int length = snprintf(line, sizeof line, "%s\n", names[index]);
        if (write(file, line, (size_t)length) < 0)
            abort();
        close(file);
    }
}

static word interposed(int index, word *a)
{
    word rv = OK, room[64] = {0};
    call = __atomic_add_fetch(&calls[index], 1, __ATOMIC_SEQ_CST);
    if (call <= 64)
        firsts[index][call - 1] = a[0];
    note(index);
    if (index == GET_ATTRIBUTE_VALUE)
        for (word i = 0; i < a[3] && i < 64; i++)
            room[i] = ((attribute *)a[2])[i].length;
    rules(index, "before", a, room, &rv);
    if (!rules(index, "instead", a, room, &rv))
        rv = pass(index, a);
    rules(index, "after", a, room, &rv);
    return rv;
}

#define WRAPPER(index, name) \
    static word wrapped_##name(word a, word b, word c, word d, word e, word f, word g, word h) \
    { word all[8] = {a, b, c, d, e, f, g, h}; return interposed(index, all); }
FUNCTIONS(WRAPPER)

#define ENTRY(index, name) wrapped_##name,
static function_list ours = {{0, 0}, {FUNCTIONS(ENTRY)}};

word C_GetFunctionList(function_list **list)
{
    if (!real) {
        const char *path = getenv("FAULT_MODULE");
        void *library = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
        word (*get)(function_list **) = NULL;
        if (library)
            *(void **)&get = dlsym(library, "C_GetFunctionList");
        if (!get || get(&real) != OK) {
            fprintf(stderr, "FAULT_MODULE is no PKCS#11 library: %s\n", path ? path : "not set");
            return DEVICE_ERROR;
        }
        memcpy(ours.version, real->version, sizeof ours.version);
        ours.call[GET_FUNCTION_LIST] = (function)(void *)C_GetFunctionList;
    }
    *list = &ours;
    return OK;
}
