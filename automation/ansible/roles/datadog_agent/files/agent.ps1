# Steps of an agent's installation on Windows, for ansible.windows.win_powershell. Arguments were checked by the role. No secret
# passes through arguments or output: what the agent says about itself is read here, and only versions and verdicts are told.
param([string]$Step, [string]$Folder, [string]$Config, [string]$Program, [string]$Attempt = '', [string]$Rollout = '',
      [string]$Version = '', [string]$Sha256 = '')
$ErrorActionPreference = 'Stop'
$Ansible.Changed = $false
$mine = "$Folder\attempts\$Attempt"
$record = "$Folder\rollouts\$Rollout"

function Read-Note([string]$Path) {
    if (Test-Path -LiteralPath $Path) { return "$(Get-Content -LiteralPath $Path -TotalCount 1)".Trim() }
    return ''
}

# The entry that the agent's MSI leaves in the registry.
function Get-Installed {
    Get-ItemProperty 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall\*' |
        Where-Object { $_.PSObject.Properties['DisplayName'] -and $_.DisplayName -eq 'Datadog Agent' } | Select-Object -First 1
}

function Get-InstalledVersion {
    $found = Get-Installed
    if ($found) { return (($found.DisplayVersion -split '\.')[0..2] -join '.') }
    return ''
}

function Save-Configuration([string]$To) {
    New-Item -ItemType Directory -Path "$To\conf.d" -Force | Out-Null
    if (Test-Path -LiteralPath "$Config\datadog.yaml") { Copy-Item -LiteralPath "$Config\datadog.yaml" "$To\datadog.yaml" }
    foreach ($file in Get-ChildItem -Path "$Config\conf.d\*.d\conf.yaml" -ErrorAction SilentlyContinue) {
        New-Item -ItemType Directory -Path "$To\conf.d\$($file.Directory.Name)" | Out-Null
        Copy-Item -LiteralPath $file.FullName "$To\conf.d\$($file.Directory.Name)\conf.yaml"
    }
    if (Test-Path -LiteralPath "$Folder\managed") { Copy-Item -LiteralPath "$Folder\managed" "$To\managed" }
}

# The configuration becomes what is in $From; touched are datadog.yaml and the checks that Slipway wrote or writes.
function Set-Configuration([string]$From) {
    $names = @("$Folder\managed", "$From\managed") | Where-Object { Test-Path -LiteralPath $_ } | ForEach-Object { Get-Content -LiteralPath $_ } |
        Where-Object { $_ } | Sort-Object -Unique
    # Both lists until all is done, so that what an interrupted run wrote is still known.
    Set-Content -LiteralPath "$Folder\managed" -Value @($names)
    foreach ($name in @($names)) {
        $file = "$Config\conf.d\$name.d\conf.yaml"
        if (Test-Path -LiteralPath "$From\conf.d\$name.d\conf.yaml") {
            New-Item -ItemType Directory -Path "$Config\conf.d\$name.d" -Force | Out-Null
            Copy-Item -LiteralPath "$From\conf.d\$name.d\conf.yaml" $file -Force
        } elseif (Test-Path -LiteralPath $file) { Remove-Item -LiteralPath $file }
    }
    if (Test-Path -LiteralPath "$From\datadog.yaml") { Copy-Item -LiteralPath "$From\datadog.yaml" "$Config\datadog.yaml" -Force }
    elseif (Test-Path -LiteralPath "$Config\datadog.yaml") { Remove-Item -LiteralPath "$Config\datadog.yaml" }
    if (Test-Path -LiteralPath "$From\managed") { Copy-Item -LiteralPath "$From\managed" "$Folder\managed" -Force }
    elseif (Test-Path -LiteralPath "$Folder\managed") { Remove-Item -LiteralPath "$Folder\managed" }
}

function Remove-Agent {
    $found = Get-Installed
    if (-not $found) { return }
    $done = Start-Process msiexec.exe -ArgumentList '/x', $found.PSChildName, '/qn', '/norestart' -Wait -PassThru
    if ($done.ExitCode -notin 0, 3010, 1605) { throw "The agent could not be removed: msiexec ended with $($done.ExitCode). Look at the event log, then start a new attempt." }
}

function Install-Agent([string]$Wanted) {
    if ((Get-InstalledVersion) -eq $Wanted) { return }
    # An MSI does not replace a newer one. The configuration stays where it is.
    if (Get-Installed) { Remove-Agent }
    $done = Start-Process msiexec.exe -ArgumentList '/i', "`"$Folder\packages\$Wanted.msi`"", '/qn', '/norestart' -Wait -PassThru
    if ($done.ExitCode -notin 0, 3010) { throw "Datadog agent $Wanted could not be installed: msiexec ended with $($done.ExitCode). Look at the event log, then start a new attempt, or roll back." }
    if ((Get-InstalledVersion) -ne $Wanted) { throw "The package is not Datadog agent $Wanted but $(Get-InstalledVersion). Roll back, and correct slipway_version or the artefact." }
}

switch ($Step) {
    'ask' {
        $installed = Get-InstalledVersion
        'family=none'
        "kind=$(if ($installed) { 'msi' } else { 'none' })"
        "installed=$installed"
        "by=$(Read-Note "$Folder\installed")"
        "unfinished=$(Read-Note "$Folder\unfinished")"
        $told = ''; $running = ''
        if ($installed -and (Test-Path -LiteralPath $Program)) {
            try { if ("$(& $Program version 2>$null)" -match '(?m)^Agent ([0-9][^ ]*) - ') { $told = $Matches[1] } } catch { }
            try { if ("$(& $Program status 2>$null | Out-String)" -match 'Agent \(v([0-9][^)]*)\)') { $running = $Matches[1] } } catch { }
        }
        "told=$told"
        "running=$running"
    }
    'claim' {
        New-Item -ItemType Directory -Path "$Folder\attempts", "$Folder\rollouts", "$Folder\packages" -Force | Out-Null
        # Notes hold the API key: administrators and the system alone, by number, as their names are translated.
        icacls.exe $Folder /inheritance:r /grant:r '*S-1-5-18:(OI)(CI)F' '*S-1-5-32-544:(OI)(CI)F' /Q | Out-Null
        if ($LASTEXITCODE -ne 0) { throw "$Folder could not be closed to others. Check its owner, then start a new attempt." }
        try { New-Item -ItemType Directory -Path $mine | Out-Null }
        catch { throw "This host has already taken attempt $Attempt and takes none twice. See that attempt's log for what it did, then start a new one." }
        $Ansible.Changed = $true
        if ($Version -eq 'rollback') {
            if (-not (Test-Path -LiteralPath $record)) { throw "This host has no note of rollout $Rollout, so it was not changed by it and there is nothing to take back. Nothing was changed." }
            $latest = Read-Note "$Folder\latest"
            if ($latest -ne $Rollout -and $latest -ne (Read-Note "$record\after")) { throw "A later rollout, $latest, changed this host after $Rollout. Nothing was changed. Roll that one back first." }
            $to = Read-Note "$record\version"
            if ($to -and $to -ne (Get-InstalledVersion) -and -not (Test-Path -LiteralPath "$Folder\packages\$to.msi")) { throw "Datadog agent $to, which ran here before, is not kept in $Folder\packages. Nothing was changed. Deploy $to with its artefact." }
            "version=$to"
            return
        }
        if ((Test-Path -LiteralPath $record) -and (Read-Note "$Folder\latest") -eq $Rollout) { return }
        $here = Get-InstalledVersion
        if ($Version -ne 'remove' -and $here -and $here -ne $Version -and -not (Test-Path -LiteralPath "$Folder\packages\$here.msi")) {
            throw "Datadog agent $here is installed here, but not kept in $Folder\packages, so this host could not be taken back to it. Nothing was changed. Roll out $here here first, then start a new attempt."
        }
        $fresh = "$Folder\rollouts\.$Attempt"
        New-Item -ItemType Directory -Path $fresh | Out-Null
        Set-Content -LiteralPath "$fresh\version" -Value $here
        Set-Content -LiteralPath "$fresh\after" -Value (Read-Note "$Folder\latest")
        Save-Configuration "$fresh\config"
        # One that is there already is of an attempt that changed nothing or was taken back.
        if (Test-Path -LiteralPath $record) { Remove-Item -LiteralPath $record -Recurse -Force }
        Move-Item -LiteralPath $fresh $record
    }
    'keep' {
        $kept = "$Folder\packages\$Version.msi"
        $found = (Get-FileHash -LiteralPath "$mine\artifact.msi" -Algorithm SHA256).Hash.ToLower()
        if ($found -ne $Sha256) { throw "The checksum of the artefact is wrong: expected sha256 $Sha256, found $found. Nothing was changed. Publish the artefact again or correct the checksum, then start a new attempt." }
        if ((Test-Path -LiteralPath $kept) -and (Get-FileHash -LiteralPath $kept -Algorithm SHA256).Hash.ToLower() -ne $Sha256) { throw "$kept came from another artefact. Nothing was changed. Give changed content a new version." }
        Move-Item -LiteralPath "$mine\artifact.msi" $kept -Force
        $Ansible.Changed = $true
    }
    'install' {
        Set-Content -LiteralPath "$Folder\unfinished" -Value $Attempt
        Set-Content -LiteralPath "$Folder\latest" -Value $Rollout
        Install-Agent $Version
        Set-Content -LiteralPath "$Folder\installed" -Value "msi $Version $Sha256"
        $Ansible.Changed = $true
    }
    'configure' { Set-Configuration "$mine\config"; $Ansible.Changed = $true }
    'checks' {
        $said = & $Program configcheck 2>$null | Out-String
        if ($LASTEXITCODE -ne 0) { throw "the agent's own configcheck failed" }
        if ($said -match '=== Configuration [^=]*errors') { throw "the agent's own configcheck names errors in the checks" }
    }
    'restore' {
        Set-Configuration "$record\config"
        $Ansible.Changed = $true
        if (Test-Path -LiteralPath "$Config\datadog.yaml") { 'restored' } else { 'none' }
    }
    'back' {
        Set-Content -LiteralPath "$Folder\unfinished" -Value $Attempt
        $to = Read-Note "$record\version"
        if ($to) { Install-Agent $to } else { Remove-Agent }
        if (Test-Path -LiteralPath "$Folder\installed") { Remove-Item -LiteralPath "$Folder\installed" }
        Set-Configuration "$record\config"
        $Ansible.Changed = $true
    }
    'remove' {
        Set-Content -LiteralPath "$Folder\unfinished" -Value $Attempt
        Set-Content -LiteralPath "$Folder\latest" -Value $Rollout
        Remove-Agent
        if (Test-Path -LiteralPath "$Folder\installed") { Remove-Item -LiteralPath "$Folder\installed" }
        if ($Version -eq 'configuration') {
            foreach ($path in $Config, "$Folder\rollouts", "$Folder\packages", "$Folder\managed", "$Folder\latest") {
                if (Test-Path -LiteralPath $path) { Remove-Item -LiteralPath $path -Recurse -Force }
            }
        }
        $Ansible.Changed = $true
    }
    'finish' {
        if ($Version -eq 'rollback' -and (Read-Note "$Folder\latest") -eq $Rollout) { Copy-Item -LiteralPath "$record\after" "$Folder\latest" -Force }
        foreach ($path in "$mine\config", "$Folder\unfinished") { if (Test-Path -LiteralPath $path) { Remove-Item -LiteralPath $path -Recurse -Force } }
    }
}
