/*
 * Runs a program to its end for each line of standard input, `program NAME ARGUMENT…`; the answer
 * is a line with the milliseconds, the lines it printed, and its peak memory in KiB.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

int main(int count, char** values) {
  static char printed[64 * 1024];
  char line[64];
  if (count < 2) return 2;
  while (fgets(line, sizeof line, stdin)) {
    int output[2];
    if (pipe2(output, O_CLOEXEC) < 0) return 1;
    const double start = now();
    const pid_t child = vfork();
    if (child < 0) return 1;
    if (child == 0) {
      dup2(output[1], STDOUT_FILENO);
      execvp(values[1], values + 1);
      _exit(127);
    }
    close(output[1]);
    long lines = 0;
    ssize_t length;
    while ((length = read(output[0], printed, sizeof printed)) > 0) {
      for (ssize_t at = 0; at < length; at++) lines += printed[at] == '\n';
    }
    close(output[0]);
    int status;
    struct rusage usage;
    if (wait4(child, &status, 0, &usage) < 0) return 1;
    printf("%.4f %ld %ld\n", now() - start, status == 0 ? lines : -1, usage.ru_maxrss);
    fflush(stdout);
  }
  return 0;
}
