#include "program.h"

#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "descriptor.h"
#include "failure.h"
#include "netns.h"

extern char** environ;

namespace lab {

namespace {

// Memory files instead of pipes: nothing to pump, so no way to deadlock, and the child is waited
// for with one call.
Descriptor memoryFile(const char* name) {
  Descriptor file(memfd_create(name, MFD_CLOEXEC));
  if (!file) throw Failure("memfd_create");
  return file;
}

void fill(int fd, const std::string& text) {
  size_t written = 0;
  while (written < text.size()) {
    ssize_t wrote = write(fd, text.data() + written, text.size() - written);
    if (wrote < 0) throw Failure("write");
    written += static_cast<size_t>(wrote);
  }
  if (lseek(fd, 0, SEEK_SET) < 0) throw Failure("lseek");
}

std::string contents(int fd) {
  off_t size = lseek(fd, 0, SEEK_END);
  std::string text(static_cast<size_t>(size > 0 ? size : 0), '\0');
  if (pread(fd, text.data(), text.size(), 0) != size) throw Failure("pread");
  return text;
}

}  // namespace

ProgramResult runProgram(int netns, const std::vector<std::string>& arguments,
                         const std::string& input) {
  ProgramResult result;
  onOwnThread([&] {
    enterNamespace(netns);
    Descriptor in = memoryFile("stdin"), out = memoryFile("stdout"), err = memoryFile("stderr");
    fill(in.get(), input);

    std::vector<char*> argv;
    for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);

    // posix_spawn is a vfork: the child starts in the namespace of this thread, and nothing of the
    // parent's memory is copied.
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in.get(), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out.get(), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, err.get(), STDERR_FILENO);
    pid_t child = 0;
    int error = posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) throw Failure("start " + arguments[0], error);

    int status = 0;
    while (waitpid(child, &status, 0) < 0)
      if (errno != EINTR) throw Failure("waitpid");
    result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    result.output = contents(out.get());
    result.errors = contents(err.get());
  });
  return result;
}

}  // namespace lab
