package tune

// RunOn is Run on a failing file system, for tests.
var RunOn = runOn
