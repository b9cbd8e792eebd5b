/**
 * The first file that runs. It is plain JavaScript that even Node 12 can read, because an older Node cannot read the
 * TypeScript behind it and would only print a syntax error. It makes sure of Node 24: by itself, else by handing over
 * to the Node 24 that `npm ci` puts into node_modules, else by saying what to do.
 */
var neededMajor = 24;
var signals = ['SIGTERM', 'SIGHUP', 'SIGINT'];

if (parseInt(process.versions.node, 10) >= neededMajor) {
  import('module').then(function (module) {
    // Compiled code is kept between starts, which makes later ones faster.
    module.enableCompileCache();
    return import('./main.ts');
  }).catch(explainImportFailure);
} else {
  Promise.all([import('fs'), import('child_process'), import('url')]).then(function (modules) {
    var fs = modules[0];
    var binary = findNewerNode(fs, modules[2].fileURLToPath);
    if (binary === null) {
      fail(
        'Node ' + process.versions.node + ' is too old to run Parley.',
        'Parley is TypeScript that Node ' + neededMajor + ' runs without a build step, and no Node ' + neededMajor +
          ' is installed in node_modules.',
        'run npm ci, then npm start: npm scripts use the Node ' + neededMajor +
          ' that npm ci installs at node_modules/.bin/node.',
      );
    } else {
      handOver(modules[1].spawn, binary);
    }
  });
}

/** The Node of node_modules, unless it is the one that is running already. */
function findNewerNode(fs, fileURLToPath) {
  var names = process.platform === 'win32'
    ? ['node/bin/node.exe', '.bin/node.exe']
    : ['node/bin/node', '.bin/node'];
  for (var i = 0; i < names.length; i += 1) {
    var path = fileURLToPath(new URL('../node_modules/' + names[i], import.meta.url));
    if (fs.existsSync(path) && fs.realpathSync(path) !== fs.realpathSync(process.execPath)) return path;
  }
  return null;
}

/** Runs the same command with another Node, and lives and dies with it. */
function handOver(spawn, binary) {
  var child = spawn(binary, process.execArgv.concat(process.argv.slice(1)), { stdio: 'inherit' });
  signals.forEach(function (signal) {
    process.on(signal, function () {
      // Ctrl+C in a terminal reaches the child directly; a second SIGINT would mean "do not wait".
      if (signal === 'SIGINT' && process.stdin.isTTY) return;
      child.kill(signal);
    });
  });
  child.on('error', function (error) {
    fail(
      'Node ' + process.versions.node + ' is too old to run Parley, and ' + binary + ' could not be started.',
      error.message,
      'run npm ci again, then npm start.',
    );
  });
  child.on('exit', function (code, signal) {
    if (signal === null) process.exit(code);
    signals.forEach(function (each) { process.removeAllListeners(each); });
    process.kill(process.pid, signal);
  });
}

/** A package that is missing or was built for another system is a forgotten `npm ci`; anything else is a defect. */
function explainImportFailure(error) {
  var code = error && error.code;
  if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND' || code === 'ERR_DLOPEN_FAILED') {
    fail('A package that Parley needs is missing or unusable.', error.message, 'run npm ci, then npm start.');
  } else {
    console.error(error);
    process.exitCode = 1;
  }
}

function fail(what, why, whatToDo) {
  console.error('\nParley did not start.\n\n  What happened: ' + what + '\n  Why: ' + why + '\n  What to do: ' + whatToDo + '\n');
  process.exitCode = 1;
}
