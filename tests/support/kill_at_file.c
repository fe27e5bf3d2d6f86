/* Copyright (c) 2026, The cryptoki.hsm authors
 * GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * SIGKILL before the N-th operation on the files of SoftHSM's objects, for every N in turn: the kills that the clock
 * hits only by chance. What is between two of these operations is in the process's own memory.
 *
 *     cc -shared -fPIC -o kill_at_file.so kill_at_file.c -ldl
 *     KILL_AT=N LD_PRELOAD=kill_at_file.so …
 *
 * KILL_COUNT names a file that gets the number of all operations when the process ends by itself.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Not the token's own file: SoftHSM writes that at each login, and a token without it is beyond repair. */
static int is_object(const char *path)
{
    size_t length = strlen(path);
    return length > 7 && !strcmp(path + length - 7, ".object") && !strstr(path, "token.object");
}

static int count;

__attribute__((destructor)) static void tell(void)
{
    const char *path = getenv("KILL_COUNT");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (file) {
        fprintf(file, "%d\n", count);
        fclose(file);
    }
}

static void operation(const char *path)
{
    const char *at = getenv("KILL_AT");
    if (is_object(path) && ++count == (at ? atoi(at) : 0))
        kill(getpid(), SIGKILL);
}

static void operation_on(int file)
{
    char link[40], path[PATH_MAX] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    if (readlink(link, path, sizeof path - 1) > 0)
        operation(path);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int open(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
    va_end(more);
    operation(path);
    return REAL(open)(path, flags, mode);
}

FILE *fopen(const char *path, const char *mode)
{
    operation(path);
    return REAL(fopen)(path, mode);
}

int ftruncate(int file, off_t length)
{
    operation_on(file);
    return REAL(ftruncate)(file, length);
}

int fflush(FILE *stream)
{
    if (stream)
        operation_on(fileno(stream));
    return REAL(fflush)(stream);
}

int fclose(FILE *stream)
{
    operation_on(fileno(stream));
    return REAL(fclose)(stream);
}

int remove(const char *path)
{
    operation(path);
    return REAL(remove)(path);
}
